#!/bin/bash
# The command of Vast's supervisor. Ends in exec, so that the supervisor's TERM reaches the program itself.
utils=/opt/supervisor-scripts/utils
# Output goes to /var/log/portal/<PROC_NAME>.log, which the portal shows; /etc/environment holds what was set.
for part in logging environment; do
  # shellcheck disable=SC1090 # Vast's own, on its images alone
  if [ -r "$utils/$part.sh" ]; then . "$utils/$part.sh"; fi
done
# cleanup_generic.sh is left out on purpose: it would end running trainings.
exec "$(dirname "${BASH_SOURCE[0]}")/../onstart.sh" run
