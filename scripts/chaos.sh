#!/usr/bin/env bash
# Kills random parts of the real program at random moments and checks that nothing is lost.
#   ./scripts/chaos.sh --rounds 200 [--seed N] [--executor slurm]
set -euo pipefail
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
help_if_asked "$0" "$@"
ensure_environment "$ROOT/requirements-dev.lock" test
cd "$ROOT"
exec "$VENV/bin/python" -m tests.support.chaos_run "$@"
