#!/bin/bash
# Started by Vast's supervisor. Vast's cleanup_generic.sh is left out on purpose: it ends every
# descendant, trainings too.
utils=/opt/supervisor-scripts/utils
# shellcheck source=/dev/null
. "$utils/logging.sh"
# shellcheck source=/dev/null
. "$utils/environment.sh"
if [ -n "${PORTAL_CONFIG:-}" ]; then
  # Ends here with 0 where the portal has no entry whose label holds these words.
  # shellcheck source=/dev/null
  . "$utils/exit_portal.sh" "LoRA Platform"
  # Caddy is in front of it.
  export HOST=127.0.0.1 PORT=17860
fi
export DATA_DIR="${LORA_DATA_DIR:-${WORKSPACE:-/workspace}/lora}" ENGINES_DIR=/opt/engines VENV=/venv/platform
# In its place, so that the signal to stop reaches the dashboard itself.
exec /opt/lora-platform/scripts/start.sh
