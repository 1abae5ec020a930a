#!/usr/bin/env bash
# Brings the dashboard up on a Vast.ai instance of any template, detached, at each start of the machine.
#   onstart:  bash /workspace/lora-platform/scripts/onstart.sh
# Runs again and again without harm. Uses the ai-toolkit or kohya_ss that the image has; the Engines page
# installs what is missing. Addresses are read from the environment anew each time: they change.
#   onstart.sh          start it detached (under Vast's supervisor where there is one), then return
#   onstart.sh run      stay in the foreground and start it again whenever it ends
set -euo pipefail
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORKSPACE=${WORKSPACE:-/workspace}
export DATA_DIR=${DATA_DIR:-$WORKSPACE/lora}
LOG=$DATA_DIR/server.log
PROGRAMS=${SUPERVISOR_PROGRAMS:-/etc/supervisor/conf.d}
export VENV=${VENV:-$ROOT/.venv}
say() { printf 'onstart.sh: %s\n' "$*"; }

# The first folder that holds a file, and the first interpreter that may be executed.
first_with() {
  local file=$1 place
  shift
  for place in "$@"; do
    if [ -f "$place/$file" ]; then
      printf '%s' "$place"
      return
    fi
  done
}
first_python() {
  local one
  for one in "$@"; do
    if [ -x "$one" ]; then
      printf '%s' "$one"
      return
    fi
  done
}

# An engine of the image is taken as it is. What a person set, or what was installed from the page, comes first.
find_engines() {
  local engines=${ENGINES_DIR:-$DATA_DIR/engines} home python
  if [ -z "${AI_TOOLKIT_DIR:-}" ] && ! [ -f "$engines/ai-toolkit/run.py" ]; then
    home=$(first_with run.py "$WORKSPACE/ai-toolkit" /opt/workspace-internal/ai-toolkit /opt/ai-toolkit /app/ai-toolkit)
    python=$(first_python "$home/venv/bin/python" "$home/.venv/bin/python" /venv/ai-toolkit/bin/python /venv/main/bin/python)
    if [ -n "$home" ] && [ -n "$python" ]; then
      export AI_TOOLKIT_DIR=$home AI_TOOLKIT_PYTHON=$python
      say "uses ai-toolkit in $home with $python"
    fi
  fi
  if [ -z "${KOHYA_SS_DIR:-}" ] && ! [ -d "$engines/kohya_ss" ]; then
    home=$(first_with sd-scripts/train_network.py "$WORKSPACE/kohya_ss" /opt/workspace-internal/kohya_ss /opt/kohya_ss)
    [ -n "$home" ] || home=$(first_with train_network.py "$WORKSPACE/sd-scripts" /opt/sd-scripts)
    python=$(first_python "$home/venv/bin/python" "$home/.venv/bin/python" /venv/kohya_ss/bin/python /venv/main/bin/python)
    if [ -n "$home" ] && [ -n "$python" ]; then
      export KOHYA_SS_DIR=$home KOHYA_SS_PYTHON=$python
      say "uses kohya_ss in $home with $python"
    fi
  fi
}

# Behind Vast's proxy only where the portal has an entry for us; else straight on the port, with a token.
choose_address() {
  case "${PORTAL_CONFIG:-}" in
  # Whatever the image says: the proxy itself holds the outer port.
  *":17860:"*) export HOST=127.0.0.1 PORT=17860 ;;
  *) export HOST=${HOST:-0.0.0.0} PORT=${PORT:-7860} TRUST_PROXY=${TRUST_PROXY:-off} ;;
  esac
}

# Until it is told to end; a program that ends at once is not started more than every ten seconds or so.
run() {
  local wait=1 begun child=
  mkdir -p "$DATA_DIR"
  exec 9>"$DATA_DIR/onstart.lock"
  if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
    say "it runs already."
    return 0
  fi
  find_engines
  choose_address
  trap 'kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; exit 0' TERM INT
  while :; do
    begun=$SECONDS
    "$ROOT/scripts/start.sh" 9>&- &
    child=$!
    wait "$child" || true
    if [ $((SECONDS - begun)) -gt 60 ]; then wait=1; fi
    say "the dashboard ended; it is started again in $wait s."
    sleep "$wait" &
    wait $!
    wait=$((wait < 10 ? wait * 2 : 15))
  done
}

usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; }

supervised() {
  [ -d "$PROGRAMS" ] && command -v supervisorctl >/dev/null 2>&1 && supervisorctl pid >/dev/null 2>&1
}

main() {
  case "${1:-}" in
  run) run ;;
  -h | --help) usage ;;
  "")
    mkdir -p "$DATA_DIR"
    local conf=$PROGRAMS/lora-platform.conf
    if supervised && [ -f "$conf" ] && ! grep -q onstart-program "$conf"; then
      say "this image starts it by itself: supervisorctl status lora-platform"
    elif supervised; then
      local text
      text=$(cat "$ROOT/scripts/vast/onstart.conf")
      # A percent sign means something to the supervisor.
      printf '%s\n' "${text//@ROOT@/"${ROOT//%/%%}"}" >"$conf"
      supervisorctl update
      say "runs under Vast's supervisor: supervisorctl status lora-platform"
    else
      setsid nohup bash "$ROOT/scripts/onstart.sh" run >>"$LOG" 2>&1 </dev/null &
      say "started; its log, with the login link, is $LOG"
    fi
    [ -z "${PUBLIC_IPADDR:-}" ] || [ -z "${VAST_TCP_PORT_7860:-}" ] ||
      say "from outside: $PUBLIC_IPADDR:$VAST_TCP_PORT_7860"
    ;;
  *)
    usage >&2
    return 2
    ;;
  esac
}

main "$@"
