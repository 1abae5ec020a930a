#!/usr/bin/env bash
# Installs the training engines, each in a Python environment of its own, at the commits that were tried.
#   ./scripts/bootstrap.sh ai-toolkit | kohya_ss | all
# It can be broken off and run again at any time: what is done is not done again, and needs no administrator.
#
#   ENGINES_DIR          where to (default: DATA_DIR/engines; DATA_DIR is data/ in the checkout)
#   AI_TOOLKIT_SOURCE    where the code comes from: an address or a local path
#   KOHYA_SS_SOURCE      likewise: sd-scripts, or a kohya_ss checkout with its sd-scripts
#   AI_TOOLKIT_COMMIT, KOHYA_SS_COMMIT   another commit than the one that was tried
#   DIFFUSERS_SOURCE     likewise, for ai-toolkit's own version of diffusers
#   TORCH_INDEX_URL      another package index for torch, such as one of CPU builds
#   TORCH_VERSION        another torch than the one chosen for the driver
#   TORCH_BUILD          auto (default: looks for an NVIDIA GPU), cuda (there is none yet, as in an image build), cpu
#   TORCH_FROM           an interpreter whose torch is shared by links, in place of one of our own
#   ENGINE_PYTHON        the interpreter to make the environments with (3.10 to 3.13; ai-toolkit: to 3.12)
#   SKIP_SPACE_CHECK     1: go on although the disk looks too small
#
# Results: ENGINES_DIR/ai-toolkit and venv-ai-toolkit, ENGINES_DIR/kohya_ss and venv-kohya_ss, and
# ENGINES_DIR/bootstrap-status.json (how far it is). Disk: with CUDA about 12 GB for ai-toolkit, 9 GB for
# kohya_ss; with CPU builds about 4 GB and 3 GB.
set -euo pipefail
unset CDPATH
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HERE=$ROOT/scripts/bootstrap
# shellcheck source=scripts/bootstrap/common.sh
. "$HERE/common.sh"
# shellcheck source=scripts/bootstrap/source.sh
. "$HERE/source.sh"
# shellcheck source=scripts/bootstrap/torch.sh
. "$HERE/torch.sh"
# shellcheck source=scripts/bootstrap/packages.sh
. "$HERE/packages.sh"

DATA_DIR=${DATA_DIR:-$ROOT/data}
ENGINES_DIR=${ENGINES_DIR:-$DATA_DIR/engines}

# Where the code comes from, the commits that were tried, and what the machine must have.
# ai-toolkit pins scipy 1.12 and numpy 1, which have no builds for Python 3.13.
describe() {
  ENGINE=$1
  STATE=$ENGINES_DIR/.bootstrap/$ENGINE
  VENV=$ENGINES_DIR/venv-$ENGINE
  PY=$VENV/bin/python
  MESSAGE=
  if [ "$ENGINE" = ai-toolkit ]; then
    PREFIX=AI_TOOLKIT
    SOURCE=${AI_TOOLKIT_SOURCE:-https://github.com/ostris/ai-toolkit}
    ASKED=${AI_TOOLKIT_COMMIT:-}
    PINS=${ASKED:-27a03a91f23eb1b757d5ec2e80ee3e129cfcc350}
    NEWEST_MINOR=12 PYTHON_REASON=" (what ai-toolkit pins has no builds for later ones)"
    GB_CUDA=12 GB_CPU=4
  else
    PREFIX=KOHYA_SS
    SOURCE=${KOHYA_SS_SOURCE:-https://github.com/kohya-ss/sd-scripts}
    # sd-scripts; where the source is kohya_ss, its own.
    ASKED=${KOHYA_SS_COMMIT:-}
    PINS=${ASKED:-"48d368fa557731ad0488c07304dfeba8c07910eb 45088f04af78e11cec5407ff4652ea3ed2c14422"}
    NEWEST_MINOR=13 PYTHON_REASON=
    GB_CUDA=9 GB_CPU=3
  fi
  mkdir -p "$STATE"
}
# shellcheck disable=SC2034 # read by source.sh and packages.sh
SD_SCRIPTS_SOURCE=https://github.com/kohya-ss/sd-scripts DIFFUSERS_PIN=c943837899b16cbae2f619b8dd4f7bb6f07dd81a

# Downloads lie beside the engines until all is done: a small /tmp or home does no harm, a broken
# run goes on where it was, and torch is downloaded once for both.
prepare_downloads() {
  export TMPDIR=$ENGINES_DIR/.bootstrap/tmp
  export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$ENGINES_DIR/.bootstrap/pip-cache}
  mkdir -p "$TMPDIR" "$PIP_CACHE_DIR"
}

forget_downloads() { rm -rf "$ENGINES_DIR/.bootstrap/tmp" "$ENGINES_DIR/.bootstrap/pip-cache"; }

# However this engine's part ends, the status file says so.
on_exit() {
  local code=$?
  if [ "$code" -ne 0 ]; then report "$STEP" failed "${MESSAGE:-broken off while at \"$STEP\"; run the same command again to go on}"; fi
}

# Runs in a process of its own, so that one engine's failure leaves the other its turn.
bootstrap_engine() {
  trap on_exit EXIT
  trap 'exit 130' INT TERM
  describe "$1"
  choose_torch
  if ! [ -r "$STATE/packages" ]; then need_space "$([ -n "$CUDA" ] && [ -z "${TORCH_FROM:-}" ] && echo "$GB_CUDA" || echo "$GB_CPU")"; fi
  get_code "$SOURCE"
  make_venv
  install_torch
  install_packages
  install_diffusers
  assert_torch
  smoke_check
  rm -f "$STATE/pip.log" "$STATE/git.log"
  report finished "done" "$MESSAGE"
  local dir=${PREFIX}_DIR
  [ -z "${!dir:-}" ] || [ "${!dir}" = "$ENGINES_DIR/$ENGINE" ] ||
    warn "$dir is set to ${!dir}: the dashboard uses that one, not what was installed here."
}

main() {
  local names one code failed=
  case "${1:-}" in
  ai-toolkit | kohya_ss) names=$1 ;;
  all) names="kohya_ss ai-toolkit" ;;
  -h | --help)
    sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"
    return 0
    ;;
  *) fail "say which engine: ai-toolkit, kohya_ss or all. (--help says more.)" ;;
  esac
  command -v git >/dev/null 2>&1 || fail "git was not found. Install it (Debian: the package git), then run this again."
  mkdir -p "$ENGINES_DIR/.bootstrap" || fail "$ENGINES_DIR cannot be written. Set ENGINES_DIR or DATA_DIR to a folder that can."
  ENGINES_DIR=$(cd "$ENGINES_DIR" && pwd)
  take_lock
  prepare_downloads
  for one in $names; do
    # Not as part of a condition: there bash would not stop at a command that fails.
    set +e
    (
      set -e
      bootstrap_engine "$one"
    )
    code=$?
    set -e
    [ "$code" -eq 0 ] || failed="$failed $one"
  done
  [ -z "$failed" ] || fail "not installed:$failed. Each says above why."
  forget_downloads
}

main "$@"
