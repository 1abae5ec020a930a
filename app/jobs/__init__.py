"""The life of a job: states, run directories, runners, the supervisor."""
