#!/usr/bin/env bash
# Draws every page at three widths in both themes, and the README's pictures. Needs Chromium.
#   ./scripts/screenshots.sh [--out DIR]
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
ensure_environment "$ROOT/requirements-dev.lock" test
cd "$ROOT"
exec "$VENV/bin/python" -m tests.support.screenshots "$@"
