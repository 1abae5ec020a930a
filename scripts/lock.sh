#!/usr/bin/env bash
# Makes requirements.lock and requirements-dev.lock again from pyproject.toml: every version pinned,
# every file by hash, for Python 3.11 to 3.13 on any platform, naming no package index.
set -euo pipefail
# shellcheck source=scripts/help.sh
. "$(dirname "${BASH_SOURCE[0]}")/help.sh"
help_if_asked "$0" "$@"
CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet uv
compile() {
  "$tools/venv/bin/uv" pip compile pyproject.toml --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate --quiet \
    --custom-compile-command ./scripts/lock.sh "$@"
}
compile --output-file requirements.lock
# The development list holds the very versions of the other: both go into one environment.
compile --extra dev --constraint requirements.lock --output-file requirements-dev.lock
