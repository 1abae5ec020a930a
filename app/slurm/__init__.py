"""Slurm, seen from the dashboard: its commands, its words for states, the script it is handed."""
