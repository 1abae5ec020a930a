#!/usr/bin/env bash
# Runs everything that is checked: style, types, layers, scripts, unit tests, end-to-end tests.
#   ./scripts/test.sh              all of it
#   ./scripts/test.sh --unit       no browser, no servers
#   ./scripts/test.sh --e2e        only the end-to-end tests
#   ./scripts/test.sh --cluster    only those on a real Slurm cluster, which it starts (needs root)
#   ./scripts/test.sh -- -k NAME   further words go to pytest
# REQUIRE_E2E=1 turns a skipped end-to-end test into a failure. Tests with real engines run where
# AI_TOOLKIT_DIR and KOHYA_SS_DIR with their tiny models are set, and are counted apart.
set -euo pipefail
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
help_if_asked "$0" "$@"
cd "$ROOT"

part=all
case "${1:-}" in
--unit | --e2e | --cluster) part=${1#--} && shift ;;
esac
if [ "${1:-}" = -- ]; then shift; fi

failed=()
check() {
  local name=$1
  shift
  printf '== %s\n' "$name"
  "$@" || failed+=("$name")
}

find_chromium() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && command -v "$name" && return
  done
  return 1
}

# A browser for the end-to-end tests: the one that is there, or Debian's where we may install.
ensure_chromium() {
  if ! CHROMIUM=$(find_chromium) && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing Chromium for the browser tests ..."
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null || true
    CHROMIUM=$(find_chromium) || true
  fi
  export CHROMIUM
  [ -n "$CHROMIUM" ] || say "No Chromium was found and none can be installed here: browser tests are skipped."
}

# Slurm for the tests on a real cluster, where we may install it; they run as root only.
ensure_slurm() {
  local name missing=
  for name in munged slurmctld slurmd sbatch; do
    PATH="/usr/sbin:$PATH" command -v "$name" >/dev/null || missing=yes
  done
  if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing Slurm for the cluster tests ..."
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      munge slurmctld slurmd slurm-client >/dev/null || true
  fi
}

ensure_environment "$ROOT/requirements-dev.lock" test
export PATH="$VENV/bin:$PATH" PYTHONWARNDEFAULTENCODING=
python=$VENV/bin/python

if [ "$part" = unit ] || [ "$part" = all ]; then
  check "ruff" ruff check .
  check "ruff format" ruff format --check --quiet .
  check "mypy" mypy --no-error-summary
  check "layers" lint-imports --no-cache
  check "shellcheck" shellcheck -x scripts/*.sh scripts/bootstrap/*.sh scripts/vast/*.sh .ci/run
  check "hadolint" hadolint Dockerfile
fi
# Unit tests share nothing, so each core takes its part of them. Folders without any need not be read by each.
run_unit() {
  check "unit tests" "$python" -m pytest -q -n auto --dist worksteal \
    --ignore=tests/e2e --ignore=tests/cluster --ignore=tests/real \
    -m "not e2e and not cluster and not engine and not gpu" "$@"
}

if [ "$part" != unit ]; then ensure_chromium; fi
if [ "$part" = all ] || [ "$part" = cluster ]; then ensure_slurm; fi
case $part in
unit) run_unit "$@" ;;
e2e) check "end-to-end tests" "$python" -m pytest -q -m e2e "$@" ;;
cluster) check "cluster tests" "$python" -m pytest -q -m cluster "$@" ;;
all)
  run_unit "$@"
  check "end-to-end, cluster, engine and GPU tests" "$python" -m pytest -q -m "e2e or cluster or engine or gpu" "$@"
  ;;
esac

if [ ${#failed[@]} -gt 0 ]; then
  printf 'FAILED: %s\n' "${failed[*]}"
  exit 1
fi
echo "All checks passed."
