#!/usr/bin/env bash
# Starts the dashboard. The first time it makes the Python environment; later it takes about a second.
#   ./scripts/start.sh                 serve in the foreground (HOST, PORT, DATA_DIR ...: see README)
#   ./scripts/start.sh --setup-only    prepare everything and end
# VENV names another place for the environment; PYTHON another interpreter to make it with.
set -euo pipefail
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
help_if_asked "$0" "$@"
ensure_environment "$ROOT/requirements.lock" run
if [ "${1:-}" = --setup-only ]; then
  exec "$VENV/bin/vast-lora" migrate
fi
exec "$VENV/bin/vast-lora" serve "$@"
