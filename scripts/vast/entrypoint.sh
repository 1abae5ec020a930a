#!/bin/bash
# The image's first process. On Vast its own entrypoint starts everything, the dashboard through
# supervisor; started plainly, the dashboard runs under tini and as a user of its own.
set -euo pipefail
if [ -n "${VAST_CONTAINERLABEL:-}" ] && command -v entrypoint.sh >/dev/null; then
  exec entrypoint.sh --no-update-portal --no-update-vast "$@"
fi
[ $# -gt 0 ] || set -- /opt/lora-platform/scripts/start.sh
if [ "$(id -u)" != 0 ] || [ "${RUN_AS_ROOT:-}" = 1 ]; then
  exec tini -- "$@"
fi
mkdir -p "$DATA_DIR"
# A volume comes as root's; what an earlier start wrote is ours already.
if [ "$(stat -c %U "$DATA_DIR")" != lora ]; then chown -R lora:lora "$DATA_DIR"; fi
export HOME=/home/lora
exec tini -- setpriv --reuid=lora --regid=lora --init-groups "$@"
