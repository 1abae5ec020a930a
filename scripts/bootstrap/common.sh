# shellcheck shell=bash
# What the steps of bootstrap.sh share: words, stamps, progress, the lock. Sourced, never run.
# Needs: ENGINES_DIR. Set per engine by bootstrap.sh: ENGINE, STATE (its folder of stamps).
# shellcheck disable=SC2034 # what is set here is read in the other files

STEP=starting
MESSAGE=
NOTE=

say() { printf '%s\n' "$*" >&2; }
warn() { say "warning: $*"; }

# Ends this engine with a sentence that says what happened and what to do.
fail() {
  MESSAGE=$*
  say "bootstrap.sh: ${ENGINE:+$ENGINE: }$*"
  exit 1
}

json_string() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//[[:cntrl:]]/ }
  printf '"%s"' "$text"
}

# report STEP STATE MESSAGE: the engine's own piece, then the file that the dashboard reads, both by rename.
report() {
  local piece=$STATE/status.json all=$ENGINES_DIR/bootstrap-status.json
  printf '{"engine": %s, "step": %s, "state": %s, "message": %s, "pid": %s, "updated": "%s"}' \
    "$(json_string "$ENGINE")" "$(json_string "$1")" "$(json_string "$2")" "$(json_string "$3")" \
    "$$" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$piece.part"
  mv "$piece.part" "$piece"
  {
    printf '{"engines": ['
    local one comma=
    for one in "$ENGINES_DIR"/.bootstrap/*/status.json; do
      [ -r "$one" ] || continue
      printf '%s\n  %s' "$comma" "$(cat "$one")"
      comma=,
    done
    printf '\n]}\n'
  } >"$all.part"
  mv "$all.part" "$all"
}

begin() {
  STEP=$1
  shift
  say "$ENGINE: $*"
  report "$STEP" running "$*"
}

# A stamp says from what a step was made; a step whose stamp still says so is not done again.
stamped() { [ -r "$STATE/$1" ] && [ "$(cat "$STATE/$1")" = "$2" ]; }
stamp() {
  printf '%s\n' "$2" >"$STATE/$1.part"
  mv "$STATE/$1.part" "$STATE/$1"
}
unstamp() {
  local name
  for name in "$@"; do rm -f "$STATE/$name"; done
}

hash_of() { cat "$@" | cksum | tr ' ' '-'; }

# One bootstrap at a time in one ENGINES_DIR; the second waits and then finds the work done.
take_lock() {
  command -v flock >/dev/null 2>&1 || return 0
  exec 8>"$ENGINES_DIR/.bootstrap/lock"
  if ! flock -n 8; then
    say "Another bootstrap works in $ENGINES_DIR. Waiting for it to end ..."
    flock 8
  fi
}

# need_space GIGABYTES: refuses before anything is downloaded; what is already there counts.
need_space() {
  local free have
  have=$({ du -sk "$VENV" "$PIP_CACHE_DIR" 2>/dev/null || true; } | awk '{ sum += $1 } END { print int(sum / 1048576) }')
  set -- $(($1 - have))
  free=$(df -Pk "$ENGINES_DIR" | awk 'NR == 2 { print int($4 / 1048576) }')
  [ -n "${SKIP_SPACE_CHECK:-}" ] || [ "$free" -ge "$1" ] ||
    fail "about $1 GB of disk are needed and $ENGINES_DIR has $free GB free. Free some space, or set ENGINES_DIR to a larger disk. (SKIP_SPACE_CHECK=1 tries it anyway.)"
}
