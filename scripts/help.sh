# shellcheck shell=bash
# How a script answers --help: with the comment at its head. Sourced, never run.

show_head() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$1"; }

# help_if_asked "$0" "$@"
help_if_asked() {
  case "${2:-}" in -h | --help)
    show_head "$1"
    exit 0
    ;;
  esac
}
