# shellcheck shell=bash
# The engine's Python environment and its torch, which depends on the machine. Sourced by bootstrap.sh.
# shellcheck disable=SC2034 # what is set here is read in the other files

# find_python: FOUND_PYTHON. Tried in this order: 3.11 is what both engines were measured with.
find_python() {
  local name
  # A torch that is shared is built for one version of Python.
  for name in ${TORCH_FROM:-${ENGINE_PYTHON:-python3.11 python3.12 python3.10 python3.13 python3 python}}; do
    command -v "$name" >/dev/null 2>&1 || continue
    if "$name" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $NEWEST_MINOR))" 2>/dev/null; then
      FOUND_PYTHON=$(command -v "$name")
      return
    fi
  done
  fail "no Python 3.10 to 3.$NEWEST_MINOR was found$PYTHON_REASON. Install one with its venv module, or name it: ENGINE_PYTHON=/path/to/python ./scripts/bootstrap.sh $ENGINE"
}

make_venv() {
  if [ -x "$PY" ] && "$PY" -c '' 2>/dev/null && [ -r "$STATE/environment" ]; then return; fi
  find_python
  begin environment "making $VENV with $FOUND_PYTHON ..."
  unstamp environment torch packages diffusers
  rm -rf "$VENV"
  "$FOUND_PYTHON" -m venv "$VENV" || fail "$FOUND_PYTHON cannot make an environment (Debian has it in the package python3-venv)."
  stamp environment "$FOUND_PYTHON"
}

# pip, kept from talking to a terminal that is not there; the whole record goes to a file.
pip_install() {
  local quiet=--quiet
  [ -t 2 ] && quiet=
  "$PY" -m pip install ${quiet:+"$quiet"} --disable-pip-version-check --no-input --retries 5 \
    --log "$STATE/pip.log" "$@"
}

pip_failed() {
  fail "$1 could not be installed. It needs a network and room on the disk; pip's whole record is $STATE/pip.log. What was downloaded is kept: run the same command again to go on."
}

# gpu_cuda: prints the newest CUDA version that the NVIDIA driver runs (12.8), or fails without a GPU.
gpu_cuda() {
  local text
  case ${TORCH_BUILD:-auto} in
  cpu) return 1 ;;
  esac
  if text=$(nvidia-smi 2>/dev/null); then
    text=$(sed -n 's/.*CUDA Version: *\([0-9][0-9]*\.[0-9]*\).*/\1/p' <<<"$text" | head -n 1)
    printf '%s\n' "${text:-12.8}"
  else
    [ "${TORCH_BUILD:-auto}" = cuda ] && printf '12.8\n'
  fi
}

# choose_torch: TORCH (its requirements), CUDA ("" without a GPU). Default wheels of 2.13 are for
# CUDA 13 and need a driver of 580 or later; those of 2.9.1 are for CUDA 12.8 and run on older ones.
choose_torch() {
  local version=${TORCH_VERSION:-}
  case ${TORCH_BUILD:-auto} in
  auto | cuda | cpu) ;;
  *) fail "TORCH_BUILD is '$TORCH_BUILD'; it can be auto, cuda or cpu." ;;
  esac
  if CUDA=$(gpu_cuda); then
    [ -n "$version" ] || case $CUDA in 1[0-2].*) version=2.9.1 ;; *) version=2.13.0 ;; esac
  else
    CUDA=
    version=${version:-2.13.0}
  fi
  case $version in
  2.13.0) TORCH="torch==2.13.0 torchvision==0.28.0 torchaudio==2.11.0 torchcodec==0.15.0" ;;
  2.9.1) TORCH="torch==2.9.1 torchvision==0.24.1 torchaudio==2.9.1 torchcodec==0.9.1" ;;
  *) TORCH="torch==$version torchvision torchaudio torchcodec" ;;
  esac
}

say_build() {
  if [ -n "$CUDA" ]; then
    say "$ENGINE: torch with CUDA, for a driver that runs CUDA up to $CUDA."
  elif [ -z "${TORCH_INDEX_URL:-}" ]; then
    say "$ENGINE: no NVIDIA GPU was found, so torch comes as pip finds it. That may be the CUDA build, some 5 GB more than a CPU one: TORCH_INDEX_URL names another index, TORCH_BUILD=cuda asks for CUDA on a machine that gets its GPU later."
  fi
}

# What is installed of torch, in one line; it must be the same when everything is installed.
torch_versions() {
  "$PY" -c 'import importlib.metadata as m
def v(name):
    try: return name + "=" + m.version(name)
    except m.PackageNotFoundError: return name + "=none"
print(*map(v, ("torch", "torchvision", "torchaudio")))'
}

# The torch that another environment has, by links. What it lacks of the family comes beside it.
share_torch() {
  local want=$1 site versions one needed=$STATE/torch-needs
  site=$("$PY" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  begin torch "sharing the torch of $TORCH_FROM ..."
  unstamp torch packages
  "$TORCH_FROM" "$HERE/share_torch.py" "$site" >"$needed" ||
    fail "the torch of $TORCH_FROM cannot be shared. Name an interpreter that has one in TORCH_FROM, or unset it."
  pip_install --no-deps -r "$needed" || pip_failed "what torch needs"
  versions=$(torch_versions)
  # Companions belong to one version of torch.
  one=${versions#torch=}
  TORCH_VERSION=${one%%[!0-9.]*} choose_torch
  for one in $TORCH; do
    case "$one $ENGINE" in torchvision*) ;; torchaudio*ai-toolkit) ;; *) continue ;; esac
    case "$versions" in
    *"${one%%=*}=none"*) pip_install --no-deps "$one" || warn "$one could not be installed; trainings that need it will fail." ;;
    esac
  done
  CUDA=$("$PY" -c 'import torch; print(torch.version.cuda or "")' 2>/dev/null) || CUDA=
  printf '%s\n' "$CUDA" >"$STATE/torch-cuda"
  torch_versions >"$STATE/torch-versions"
  stamp torch "$want"
}

# torch first, and its companions without their dependencies, so that nothing moves it.
install_torch() {
  local want="$TORCH ${TORCH_INDEX_URL:-}" torch vision audio codec
  local index=(${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"})
  if [ -n "${TORCH_FROM:-}" ]; then
    want="shared $TORCH_FROM"
    if stamped torch "$want"; then CUDA=$(cat "$STATE/torch-cuda"); else share_torch "$want"; fi
    return
  fi
  if stamped torch "$want"; then return; fi
  say_build
  begin torch "installing ${TORCH%% *} (the largest download) ..."
  unstamp torch packages
  read -r torch vision audio codec <<<"$TORCH"
  pip_install "${index[@]}" "$torch" || pip_failed "$torch"
  pip_install --no-deps "${index[@]}" "$vision" || pip_failed "$vision"
  if [ "$ENGINE" = ai-toolkit ]; then
    pip_install --no-deps "${index[@]}" "$audio" || warn "$audio could not be installed; ai-toolkit imports it at its start."
    if [ -n "$CUDA" ]; then pip_install --no-deps "$codec" || warn "$codec could not be installed: no training on videos or sound."; fi
  fi
  torch_versions >"$STATE/torch-versions"
  stamp torch "$want"
}

# Training with another torch than the one chosen for this machine fails late and oddly.
assert_torch() {
  local was is
  was=$(cat "$STATE/torch-versions")
  is=$(torch_versions)
  [ "$is" = "$was" ] && return
  unstamp torch packages
  fail "torch is no longer the one that was installed ($was became $is). Run the same command again; it puts the first one back."
}
