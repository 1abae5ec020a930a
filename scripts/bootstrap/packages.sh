# shellcheck shell=bash
# The engine's packages beside torch, and the look at the result. Sourced by bootstrap.sh.
# shellcheck disable=SC2034 # what is set here is read in the other files

# The lists hold every package by version and hash, so nothing is resolved and torch cannot move.
install_packages() {
  local lists=("$HERE/$ENGINE.lock") list want
  [ -n "$CUDA" ] && [ -r "$HERE/$ENGINE-gpu.lock" ] && lists+=("$HERE/$ENGINE-gpu.lock")
  want="$(hash_of "${lists[@]}") $TORCH"
  if stamped packages "$want"; then return; fi
  begin packages "installing its packages ..."
  # diffusers' release is in the list and takes the place of another build of it.
  unstamp packages diffusers
  for list in "${lists[@]}"; do
    pip_install --no-deps --require-hashes -r "$list" || pip_failed "the list ${list##*/}"
  done
  stamp packages "$want"
}

# ai-toolkit pins a commit of diffusers between two releases. The release in its place was seen to train
# SD1.x and SDXL; the newest model families may need the commit.
install_diffusers() {
  local source=${DIFFUSERS_SOURCE:-https://github.com/huggingface/diffusers} code=$STATE/diffusers-code want
  [ "$ENGINE" = ai-toolkit ] || return 0
  want="$source $DIFFUSERS_PIN"
  if stamped diffusers "$want"; then return; fi
  begin diffusers "installing diffusers at ${DIFFUSERS_PIN:0:12} ..."
  if fetch_commit "$source" "$DIFFUSERS_PIN" "$code" &&
    pip_install --no-deps --no-build-isolation --force-reinstall "$code"; then
    stamp diffusers "$want"
    rm -rf "$code"
  else
    NOTE=" (diffusers: the release, not the pinned commit)"
    warn "the diffusers commit that ai-toolkit pins could not be had from $source. The release in its place trains SD1.x and SDXL; newer families may refuse to load. Run the same command again with a network, or set DIFFUSERS_SOURCE."
  fi
}

# Imports what the training scripts import, in the engine's folder, and prints the engine's line.
smoke_check() {
  local line log=$STATE/smoke.log
  begin check "importing what its trainings import ..."
  if line=$(cd "$HOME_OF_ENGINE" && HF_HUB_OFFLINE=1 NO_ALBUMENTATIONS_UPDATE=1 "$PY" "$HERE/smoke.py" "$ENGINE" 2>"$log" </dev/null); then
    line="$ENGINE ${COMMIT:0:12} $(tail -n 1 <<<"$line") ok$NOTE"
    MESSAGE=$line
    printf '%s\n' "$line"
    return
  fi
  tail -n 4 "$log" | sed 's/^/  /' >&2
  fail "installed, but a training could not start: $(tail -n 1 "$log"). The whole record is $log.$(torch_hint "$log")"
}

torch_hint() {
  if grep -qE 'torchvision|torchaudio|libcud|CUDA' "$1"; then
    printf ' torchvision and torchaudio must be built for the torch beside them: without an NVIDIA GPU set TORCH_INDEX_URL to an index of CPU builds, then run the same command again.'
  fi
}
