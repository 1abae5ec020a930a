#!/usr/bin/env bash
# Makes the lists of the engines' packages again (*.lock from *.in): every version pinned, every file
# by hash, for Python 3.10 and later, naming no package index. torch is not in them: see torch.sh.
# Releases younger than two weeks are left out: one that is withdrawn again would break every installation.
set -euo pipefail
CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet uv
before=$(date -u -d '14 days ago' +%Y-%m-%d)
for list in kohya_ss kohya_ss-gpu ai-toolkit; do
  "$tools/venv/bin/uv" pip compile "$list.in" --universal --python-version 3.10 --exclude-newer "$before" \
    --override overrides.txt --generate-hashes --no-emit-index-url --no-annotate --quiet \
    --custom-compile-command ./scripts/bootstrap/lock.sh --output-file "$list.lock"
done
