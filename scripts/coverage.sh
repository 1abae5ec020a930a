#!/usr/bin/env bash
# Prints what the tests run of the code, above all which lines that handle a failure no test has run.
#   ./scripts/coverage.sh            unit and end-to-end tests (about 20 minutes)
#   ./scripts/coverage.sh --unit     unit tests alone (about a minute)
set -euo pipefail
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
help_if_asked "$0" "$@"
case "${1:-}" in
'' | --unit) ;;
*) fail "there is no '$1'; there is --unit, and all without a word" ;;
esac
ensure_environment "$ROOT/requirements-dev.lock" test
cd "$ROOT"
export PATH="$VENV/bin:$PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export COVERAGE_FILE=$folder/data
run() {
  coverage run -m pytest -q "$@" || say "Some tests failed: what they would have run counts as not run."
}
run -n auto --dist worksteal --ignore=tests/e2e --ignore=tests/cluster --ignore=tests/real \
  -m "not e2e and not cluster and not engine and not gpu"
if [ "${1:-}" != --unit ]; then run -m e2e; fi
coverage combine --quiet
coverage json --quiet -o "$folder/report.json"
python -m tests.support.failure_lines "$folder/report.json"
