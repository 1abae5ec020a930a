#!/usr/bin/env bash
# Installs the engines at their pinned commits, each in a Python environment of its own.
#   ./scripts/bootstrap.sh [ai-toolkit|kohya_ss|all]
# Goes on where it was interrupted; a finished step is not done again. Settings:
#   ENGINES_DIR         where to install (default: DATA_DIR/engines)
#   AI_TOOLKIT_SOURCE   where to take the code from: URL or local checkout
#   KOHYA_SS_SOURCE     likewise; sd-scripts, or a kohya_ss checkout that carries it
#   TORCH_VERSION       torch to install (default: 2.13.0)
#   TORCH_INDEX_URL     package index for torch alone, such as one with CUDA 12.8 builds
#   DIFFUSERS_SOURCE    where ai-toolkit's diffusers comes from: URL or local checkout
#   PYTHON              interpreter to make the environments with (3.10 to 3.13)
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DATA_DIR=${DATA_DIR:-$ROOT/data}
ENGINES_DIR=${ENGINES_DIR:-$DATA_DIR/engines}
TORCH_VERSION=${TORCH_VERSION:-2.13.0}
TORCHVISION_VERSION=${TORCHVISION_VERSION:-0.28.0}
TORCHAUDIO_VERSION=${TORCHAUDIO_VERSION:-2.11.0}

AI_TOOLKIT_SOURCE=${AI_TOOLKIT_SOURCE:-https://github.com/ostris/ai-toolkit}
AI_TOOLKIT_COMMIT=${AI_TOOLKIT_COMMIT:-27a03a91f23eb1b757d5ec2e80ee3e129cfcc350}
KOHYA_SS_SOURCE=${KOHYA_SS_SOURCE:-https://github.com/kohya-ss/sd-scripts}
KOHYA_SS_COMMIT=${KOHYA_SS_COMMIT:-48d368fa557731ad0488c07304dfeba8c07910eb}
DIFFUSERS_SOURCE=${DIFFUSERS_SOURCE:-https://github.com/huggingface/diffusers}
DIFFUSERS_COMMIT=c943837899b16cbae2f619b8dd4f7bb6f07dd81a
DIFFUSERS_RELEASE=0.39.0

ENGINE= # the one at work
say() { printf '%s: %s\n' "${ENGINE:-bootstrap}" "$*" >&2; }

# Told to the Engines page: what is being done, what failed.
report() { # STATE MESSAGE
  local file="$ENGINES_DIR/bootstrap-status.json" text=${2//\\/\\\\}
  text=${text//\"/\\\"}
  printf '{"engine": "%s", "state": "%s", "message": "%s", "at": %s}\n' \
    "$ENGINE" "$1" "$text" "$(date +%s)" >"$file.tmp" && mv "$file.tmp" "$file"
}

fail() {
  say "$*"
  [ -d "$ENGINES_DIR" ] && report failed "$*"
  exit 1
}

step() { say "$*"; report running "$*"; }

find_python() {
  local name
  for name in "${PYTHON:-}" python3.12 python3.11 python3.10 python3.13 python3; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "no Python 3.10 to 3.13 was found. Install one (Debian: apt-get install python3 python3-venv), or name it with PYTHON."
}

has_gpu() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; }

need_disk() { # GB
  local free
  free=$(($(df -Pk "$ENGINES_DIR" | awk 'NR == 2 {print $4}') / 1000000))
  [ "$free" -ge "$1" ] || fail "$ENGINES_DIR has $free GB free and $1 GB are needed. Free some, or set ENGINES_DIR to another disk."
}

# fetch URL COMMIT FOLDER: the commit alone where the server allows it, else the whole history.
fetch() {
  git init -q "$3"
  git -C "$3" remote add origin "$1"
  git -C "$3" fetch -q --depth 1 origin "$2" 2>/dev/null ||
    git -C "$3" fetch -q origin '+refs/*:refs/remotes/origin/*' ||
    fail "$1 could not be read. Check the network and the address, then run this again."
}

# checkout SOURCE COMMIT FOLDER: the code at the pin. A local source may be a plain folder's checkout.
checkout() {
  local source=$1 commit=$2 folder=$3 part="$3.part"
  if [ -d "$folder/.git" ] && [ "$(git -C "$folder" rev-parse HEAD 2>/dev/null)" = "$commit" ] && [ -e "$folder/.complete" ]; then return; fi
  command -v git >/dev/null 2>&1 || fail "git was not found. Install it (Debian: apt-get install git)."
  if [ -d "$source/sd-scripts/.git" ] || [ -f "$source/sd-scripts/.git" ]; then source="$source/sd-scripts"; fi
  step "fetching $commit from $source"
  rm -rf "$part"
  if [ -d "$source" ]; then
    # A local copy may lack large files that training does not need; a clone by links takes it as it is.
    git clone -q --local --no-checkout "$source" "$part" 2>"$part.log" || fail "$source is no git checkout: $(tail -n 1 "$part.log")"
  else
    fetch "$source" "$commit" "$part"
  fi
  git -C "$part" cat-file -e "$commit^{commit}" 2>/dev/null ||
    fail "$source has no commit $commit. Give a source that has it."
  git -C "$part" -c advice.detachedHead=false checkout -q --force "$commit" 2>"$part.log" ||
    restore "$part" "$commit"
  rm -rf "$folder"
  mv "$part" "$folder"
  git -C "$folder" update-ref --no-deref HEAD "$commit"
  rm -f "$part.log"
  touch "$folder/.complete"
}

# restore FOLDER COMMIT: every file that the source has, one by one; the missing ones are named.
restore() {
  local folder=$1 commit=$2 name missing=0
  git -C "$folder" read-tree "$commit"
  while IFS= read -r -d '' name; do
    git -C "$folder" checkout-index -q --force -- "$name" 2>/dev/null || { say "not in the source: $name"; missing=$((missing + 1)); }
  done < <(git -C "$folder" ls-files -z)
  [ "$missing" -lt 20 ] || fail "$missing files are missing in the source. Take another one."
}

# environment FOLDER: an empty Python environment, made anew if it was left half made.
environment() {
  local folder=$1
  if [ -x "$folder/bin/python" ] && "$folder/bin/python" -m pip --version >/dev/null 2>&1; then return; fi
  step "making the environment $folder"
  rm -rf "$folder"
  "$(find_python)" -m venv "$folder" || fail "the environment could not be made. Debian: apt-get install python3-venv"
}

# install FOLDER STAMP WORDS...: pip, unless the same words were installed before.
install() {
  local folder=$1 stamp="$1/.done-$2" wanted
  shift 2
  wanted=$(printf '%s\n' "$@" | cksum)
  if [ -r "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then return; fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
    fail "pip could not install into $folder. Check the network and the disk, then run this again; it goes on from here."
  printf '%s\n' "$wanted" >"$stamp"
}

torch_version() { "$1/bin/python" -c 'import torch; print(torch.__version__)'; }

# install_torch FOLDER: one build of torch, chosen once; nothing after it may change it.
install_torch() {
  local folder=$1 index=()
  [ -n "${TORCH_INDEX_URL:-}" ] && index=(--index-url "$TORCH_INDEX_URL")
  if has_gpu; then say "NVIDIA GPU found: installing torch $TORCH_VERSION for it"; else say "no NVIDIA GPU found: installing torch $TORCH_VERSION as pip finds it"; fi
  step "installing torch $TORCH_VERSION"
  install "$folder" torch "torch==$TORCH_VERSION" "${index[@]}"
  install "$folder" torchvision --no-deps "torchvision==$TORCHVISION_VERSION" "${index[@]}"
}

same_torch() { # FOLDER BEFORE
  local now
  now=$(torch_version "$1")
  [ "$now" = "$2" ] || fail "torch changed from $2 to $now while packages were installed; remove $1 and report this."
}

# smoke ENGINE HOME PYTHON IMPORTS: what the training scripts import can be imported.
smoke() {
  local home=$2 python=$3 imports=$4 told
  step "checking that it starts"
  told=$(cd "$home" && HF_HUB_OFFLINE=1 "$python" -c "import sys; sys.path.insert(0, '.'); $imports; import platform, torch; print(platform.python_version(), torch.__version__)" 2>&1 | tail -n 1) &&
    [[ $told =~ ^3\.[0-9.]+\ [0-9] ]] || fail "$1 cannot be imported: $told"
  report finished "$1 is installed"
  printf '%-11s commit %.8s  python %s  torch %s  ok\n' "$1" "$(git -C "$home" rev-parse HEAD)" "${told% *}" "${told#* }"
}

install_kohya_ss() {
  local home="$ENGINES_DIR/kohya_ss" venv="$ENGINES_DIR/venv-kohya_ss" before
  need_disk 6
  checkout "$KOHYA_SS_SOURCE" "$KOHYA_SS_COMMIT" "$home"
  environment "$venv"
  install_torch "$venv"
  before=$(torch_version "$venv")
  step "installing packages"
  install "$venv" packages "torch==${before%%+*}" -r "$ROOT/scripts/bootstrap/kohya_ss.txt"
  install "$venv" lycoris --no-deps lycoris-lora==3.2.0.post2
  if has_gpu; then install "$venv" bitsandbytes bitsandbytes; fi
  same_torch "$venv" "$before"
  smoke kohya_ss "$home" "$venv/bin/python" "import train_network, sdxl_train_network, flux_train_network, networks.lora"
}

install_ai_toolkit() {
  local home="$ENGINES_DIR/ai-toolkit" venv="$ENGINES_DIR/venv-ai-toolkit" before list
  need_disk 8
  checkout "$AI_TOOLKIT_SOURCE" "$AI_TOOLKIT_COMMIT" "$home"
  environment "$venv"
  install "$venv" tools --upgrade pip wheel "setuptools>=77,<81"
  install_torch "$venv"
  install "$venv" torchaudio --no-deps "torchaudio==$TORCHAUDIO_VERSION" ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"}
  before=$(torch_version "$venv")
  step "installing packages"
  list="$venv/requirements.txt"
  # Its own list, without what comes apart and what only its web page needs.
  grep -vE '^(git\+|#|torchcodec|gradio|invisible-watermark)' "$home/requirements_base.txt" >"$list"
  install "$venv" packages "torch==${before%%+*}" -r "$ROOT/scripts/bootstrap/ai-toolkit.txt" -r "$list"
  install_diffusers "$venv"
  same_torch "$venv" "$before"
  smoke ai-toolkit "$home" "$venv/bin/python" "import toolkit.config, jobs.ExtensionJob, extensions_built_in.sd_trainer.SDTrainer"
}

# ai-toolkit pins a commit of diffusers between two releases; the release ran SD 1.5 and SDXL.
install_diffusers() {
  if install_diffusers_pin "$1"; then return; fi
  say "diffusers $DIFFUSERS_COMMIT cannot be had; taking the release $DIFFUSERS_RELEASE. SD 1.5 and SDXL run with it; newer families may need the pin."
  install "$1" diffusers --no-deps "diffusers==$DIFFUSERS_RELEASE"
}

install_diffusers_pin() {
  local stamp="$1/.done-diffusers-pin"
  [ -r "$stamp" ] && return
  GIT_TERMINAL_PROMPT=0 "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    "diffusers @ git+${DIFFUSERS_SOURCE/#\//file:///}@$DIFFUSERS_COMMIT" >/dev/null 2>&1 && touch "$stamp"
}

main() {
  local wanted=${1:-all}
  case "$wanted" in
  -h | --help)
    sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    return
    ;;
  ai-toolkit | kohya_ss | all) ;;
  *)
    say "there is no engine '$wanted': use ai-toolkit, kohya_ss or all"
    exit 2
    ;;
  esac
  mkdir -p "$ENGINES_DIR" || { say "$ENGINES_DIR cannot be made; set ENGINES_DIR"; exit 1; }
  exec 9>"$ENGINES_DIR/.bootstrap.lock"
  if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
    say "another bootstrap is at work in $ENGINES_DIR; wait for it"
    exit 1
  fi
  if [ "$wanted" != kohya_ss ]; then ENGINE=ai-toolkit; install_ai_toolkit; fi
  if [ "$wanted" != ai-toolkit ]; then ENGINE=kohya_ss; install_kohya_ss; fi
}

main "$@"
