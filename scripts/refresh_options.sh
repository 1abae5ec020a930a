#!/usr/bin/env bash
# Makes the option lists that ship with the project again, from checkouts of both engines:
#   AI_TOOLKIT_DIR=... KOHYA_SS_DIR=... ./scripts/refresh_options.sh
# KOHYA_SS_DIR is an sd-scripts checkout. `git diff` then shows what changed; nothing is run of them.
set -euo pipefail
# shellcheck source=scripts/help.sh
. "$(dirname "${BASH_SOURCE[0]}")/help.sh"
help_if_asked "$0" "$@"
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
: "${AI_TOOLKIT_DIR:?set it to an ai-toolkit checkout}" "${KOHYA_SS_DIR:?set it to an sd-scripts checkout}"
cd "$ROOT"
exec "$VENV/bin/python" -m scripts.refresh_options "$AI_TOOLKIT_DIR" "$KOHYA_SS_DIR"
