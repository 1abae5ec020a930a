#!/usr/bin/env bash
# Runs a built image for real, with a stand-in trainer: it answers, trains, and a stop of the container
# loses nothing. Needs docker or podman.
#   ./scripts/check_image.sh IMAGE
# CONTAINER_TOOL names another program than the one that is found; PORT a free port (default 17861).
set -euo pipefail
# shellcheck source=scripts/help.sh
. "$(dirname "${BASH_SOURCE[0]}")/help.sh"
help_if_asked "$0" "$@"
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -eq 1 ] || { show_head "$0"; exit 2; }
tool=${CONTAINER_TOOL:-$(command -v docker || command -v podman)} || { echo "Neither docker nor podman was found." >&2; exit 2; }
name=lora-check-$$ url=http://127.0.0.1:${PORT:-17861} python=/venv/platform/bin/python

cleanup() { "$tool" rm -f "$name" >/dev/null 2>&1 || true; }
trap cleanup EXIT
say() { printf '%5.1f s  %s\n' "$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { print b - a }')" "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; "$tool" logs "$name" 2>&1 | tail -n 20 >&2; exit 1; }
inside() { "$tool" exec -i -u lora "$name" "$@"; }
# until_true WHAT COMMAND...: within a minute.
until_true() {
  local what=$1 n
  shift
  for ((n = 0; n < 300; n++)); do
    if "$@" >/dev/null 2>&1; then say "$what"; return; fi
    sleep 0.2
  done
  fail "not within a minute: $what"
}
answers() { curl -fsS "$url/healthz"; }
is() { inside vast-lora show 1 --json | grep -q "\"state\": \"$1\""; }
begun() { inside vast-lora show 1 --json | grep -qE '"step": ([5-9]|[0-9]{2,})'; }

begin=$(date +%s.%N)
"$tool" run -d --name "$name" -p "127.0.0.1:${PORT:-17861}:7860" -v "$ROOT/tests:/opt/lora-platform/tests:ro" \
  -e AI_TOOLKIT_DIR=/workspace/lora/standin/ai-toolkit -e AI_TOOLKIT_PYTHON=$python -e STANDIN_SECONDS=0.2 "$1" >/dev/null
until_true "the dashboard answers" answers
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/")" = 303 ] || fail "a stranger was let in"
say "a stranger is led to the login"
inside $python - <<'P'
import json, pathlib
from PIL import Image
from tests.support import engines
root = pathlib.Path("/workspace/lora/standin")
engines.make(root)
for folder in ("pictures", "model"):
    (root / folder).mkdir()
(root / "model/model_index.json").write_text("{}")
for n in range(4):
    Image.new("RGB", (64, 64), (n * 50, 0, 0)).save(root / f"pictures/{n}.png")
(root / "spec.json").write_text(json.dumps({
    "name": "dog", "family": "sd15", "engine": "ai-toolkit", "base_model": str(root / "model"),
    "datasets": [{"path": str(root / "pictures"), "resolution": [64]}], "length": {"steps": 60},
    "memory": {"mixed_precision": "no"}, "saving": {"every_steps": 5}, "sampling": {"prompts": []}}))
P
inside vast-lora submit /workspace/lora/standin/spec.json >/dev/null || fail "the job was not taken"
until_true "the job trains" is running
until_true "it has saved" begun
"$tool" stop "$name" >/dev/null
say "the container is stopped in mid-run: exit $("$tool" inspect -f '{{.State.ExitCode}}' "$name")"
"$tool" start "$name" >/dev/null
until_true "the dashboard answers again" answers
until_true "the job goes on and succeeds" is succeeded
inside vast-lora show 1 --json | grep -q '"attempt": 2' || fail "it was not a second attempt that finished it"
say "finished by the second attempt; nothing was lost"
