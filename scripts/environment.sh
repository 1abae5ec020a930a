# shellcheck shell=bash
# Makes the Python environment that start.sh and test.sh run in. Sourced, never run.
# Needs: ROOT (the checkout). Gives: VENV, with the packages of LOCK installed.

say() { printf '%s\n' "$*" >&2; }
fail() { say "$0: $*"; exit 1; }

find_python() {
  local name
  for name in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    if [ -z "$name" ] || ! command -v "$name" >/dev/null 2>&1; then continue; fi
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "no Python 3.11, 3.12 or 3.13 was found. Install one (Debian: apt-get install python3 python3-venv), or name it: PYTHON=/path/to/python $0"
}

# What an environment was made from: the lock, the project file, the interpreter and the place.
stamp_of() {
  cat "$1" "$ROOT/pyproject.toml" | cksum | tr ' ' '-'
  printf '%s\n' "$VENV"
}

make_environment() {
  local lock=$1 stamp=$2 python
  python=$(find_python)
  if ! [ -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -c '' 2>/dev/null; then
    say "Making the Python environment in $VENV ..."
    rm -rf "$VENV"
    "$python" -m venv "$VENV" || fail "$python cannot make an environment. Debian: apt-get install python3-venv"
  fi
  say "Installing from ${lock##*/} ..."
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" ||
    fail "the packages could not be installed. The first start needs a network and about 300 MB of disk; run it again to go on."
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e "$ROOT" ||
    fail "the project itself could not be installed into $VENV."
  # An installer that compiles nothing would make every start slow.
  "$VENV/bin/python" -m compileall -q "$VENV/lib" "$ROOT/app" "$ROOT/engines" >/dev/null 2>&1 || true
  stamp_of "$lock" >"$stamp"
}

# ensure_environment LOCK NAME: nothing is done when the stamp NAME is of this very lock.
ensure_environment() {
  local lock=$1 stamp="$VENV/.made-from-$2"
  if [ -r "$stamp" ] && [ "$(cat "$stamp")" = "$(stamp_of "$lock")" ]; then return; fi
  mkdir -p "$(dirname "$VENV")"
  # Two starts at once: the second waits for the first and then finds the stamp.
  exec 9>"$VENV.lock"
  if command -v flock >/dev/null 2>&1; then flock 9; fi
  if ! [ -r "$stamp" ] || [ "$(cat "$stamp")" != "$(stamp_of "$lock")" ]; then
    rm -f "$stamp"
    make_environment "$lock" "$stamp"
  fi
  exec 9>&-
}
