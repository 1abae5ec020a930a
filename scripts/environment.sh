# shellcheck shell=bash
# Makes the Python environment that start.sh and test.sh run in. Sourced, never run.
# Needs: ROOT (the checkout). Gives: VENV, with the packages of LOCK installed.

case "$VENV" in /*) ;; *) VENV=$PWD/$VENV ;; esac
# What a user or another environment has set for every pip and every Python would spoil this one.
unset PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX

say() { printf '%s\n' "$*" >&2; }
fail() { say "$0: $*"; exit 1; }

can_make_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# shellcheck source=scripts/help.sh
. "$ROOT/scripts/help.sh"

# Prints the interpreter to use: the first that fits, rather one that can make environments.
find_python() {
  local name second='' misfit=''
  for name in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3; do
    command -v "$name" >/dev/null 2>&1 || continue
    if ! "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      misfit="$("$name" --version 2>&1 | head -n 1) ($(command -v "$name"))"
    elif can_make_environments "$name"; then
      command -v "$name"
      return
    else
      second=${second:-$(command -v "$name")}
    fi
  done
  if [ -n "$second" ]; then printf '%s\n' "$second" && return; fi
  fail "Python 3.11, 3.12 or 3.13 is needed; found ${misfit:-none}. Install one (Debian: apt-get install python3 python3-venv), or name it: PYTHON=/path/to/python $0"
}

# What an environment was made from: lock, project file, interpreter, its place and the checkout's.
stamp_of() {
  cat "$1" "$ROOT/pyproject.toml" "$VENV/pyvenv.cfg" 2>/dev/null | cksum
  printf '%s\n%s\n' "$VENV" "$ROOT"
}

# ready LOCK STAMP: the environment is whole, of this very lock, and its interpreter is still there.
ready() {
  [ -x "$VENV/bin/python" ] && [ -r "$2" ] && [ "$(cat "$2")" = "$(stamp_of "$1")" ]
}

# An environment that was moved runs the old place's programs, and one broken off may lack pip.
usable() {
  [ "$(cat "$VENV/.made-at" 2>/dev/null || printf '%s' "$VENV")" = "$VENV" ] &&
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1
}

new_environment() {
  local python=$1
  if [ -d "$VENV" ] && [ ! -e "$VENV/pyvenv.cfg" ] && [ -n "$(find "$VENV" -type f | head -n 1)" ]; then
    fail "$VENV holds files but is no Python environment. Move it away, or name another place: VENV=/path $0"
  fi
  # Out of the way in one step: half an environment is never taken for one.
  rm -rf "$VENV.old"
  if [ -e "$VENV" ]; then mv "$VENV" "$VENV.old" && rm -rf "$VENV.old"; fi
  say "Making the Python environment in $VENV ..."
  if can_make_environments "$python"; then
    "$python" -m venv "$VENV"
  elif "$python" -m virtualenv --version >/dev/null 2>&1; then
    "$python" -m virtualenv --quiet "$VENV"
  else
    fail "$python cannot make environments: its venv module is missing. Debian and Ubuntu: apt-get install python3-venv (or the package of that version, such as python3.12-venv)"
  fi || fail "the environment could not be made in $VENV. Is the disk full, or the folder not yours?"
  printf '%s' "$VENV" >"$VENV/.made-at"
}

# Says in a sentence why pip failed, from what it wrote to FILE.
why_pip_failed() {
  if grep -q 'No space left' "$1"; then
    say "The disk is full: about 700 MB are needed in $VENV."
  elif grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|Could not fetch URL' "$1"; then
    say "The package index cannot be reached: the first start needs a network."
  elif grep -q 'DO NOT MATCH THE HASHES' "$1"; then
    say "A package is not the one that the lock names. Is a mirror or a proxy changing it?"
  else
    tail -n 5 "$1" >&2
  fi
}

install_into() {
  local what=$1 errors="$VENV/install-errors.txt"
  shift
  if ! "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --retries 2 "$@" 2>"$errors"; then
    why_pip_failed "$errors"
    fail "$what could not be installed into $VENV. Run it again to go on."
  fi
  rm -f "$errors"
}

make_environment() {
  local lock=$1 stamp=$2 python
  if ! usable; then
    python=$(find_python) || exit 1
    new_environment "$python"
  fi
  say "Installing from ${lock##*/} (a minute or so, this once) ..."
  install_into "The packages" --require-hashes -r "$lock"
  install_into "The project itself" --no-deps --no-build-isolation --no-index -e "$ROOT"
  # An installer that compiles nothing would make every start slow; what cannot be compiled runs too.
  "$VENV/bin/python" -m compileall -q "$VENV/lib" "$ROOT/app" "$ROOT/engines" >/dev/null 2>&1 || true
  stamp_of "$lock" >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

# Two starts at once: the second waits here for the first. Not every system has flock.
take_turn() {
  local place=${VENV%/*}
  if ! { mkdir -p "$place" && : >>"$VENV.lock"; } 2>/dev/null; then fail "$place cannot be written. Is the disk full?"; fi
  exec 9>>"$VENV.lock"
  if command -v flock >/dev/null 2>&1; then
    flock -n 9 && return
    say "Another start is preparing $VENV; waiting for it ..."
    flock 9
  else
    local python
    python=$(find_python) || exit 1
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
  fi
}

# ensure_environment LOCK NAME: nothing is done when the stamp NAME is of this very lock.
ensure_environment() {
  local lock=$1 stamp="$VENV/.made-from-$2"
  if ready "$lock" "$stamp"; then return; fi
  take_turn
  if ! ready "$lock" "$stamp"; then
    rm -f "$stamp"
    make_environment "$lock" "$stamp"
  fi
  exec 9>&-
}
