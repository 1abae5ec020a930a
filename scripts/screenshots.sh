#!/usr/bin/env bash
# Draws every page at three widths in both themes into docs/screenshots, with an index and two contact sheets.
# Needs Chromium; where there is a C compiler, the pages show a card. Three minutes on an idle machine.
#   ./scripts/screenshots.sh [--out DIR] [--only PAGE ...]
set -euo pipefail
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
help_if_asked "$0" "$@"
ensure_environment "$ROOT/requirements-dev.lock" test
cd "$ROOT"
exec "$VENV/bin/python" -m tests.support.screenshots "$@"
