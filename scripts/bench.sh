#!/usr/bin/env bash
# Prints a table of measurements; nothing is judged. Compare within one sitting, by ratios.
#   ./scripts/bench.sh queue      start, submit to exec, idle, eight busy jobs (about 2 minutes)
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
case "${1:-queue}" in
queue) ;;
*) fail "there is no bench '$1'; there is: queue" ;;
esac
ensure_environment "$ROOT/requirements-dev.lock" test
cd "$ROOT"
exec "$VENV/bin/python" -m "tests.bench.${1:-queue}"
