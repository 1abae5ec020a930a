# shellcheck shell=bash
# Brings an engine's code to ENGINES_DIR/<engine>, at its pinned commit. Sourced by bootstrap.sh.
# shellcheck disable=SC2034 # what is set here is read in the other files

export GIT_TERMINAL_PROMPT=0

# A folder or a bare repository on this machine, as opposed to an address.
is_local() { [ -d "$1" ]; }

# fetch_commit SOURCE COMMIT DIR: COMMIT lies checked out in DIR. May be broken off and run again.
fetch_commit() {
  local source=$1 commit=$2 dir=$3 log=$STATE/git.log
  is_local "$source" && source="file://$(cd "$source" && pwd)"
  [ -d "$dir/.git" ] || git init --quiet "$dir" || return 1
  if ! git -C "$dir" cat-file -e "$commit^{commit}" 2>/dev/null; then
    rm -f "$dir/.git/shallow.lock" "$dir/.git/index.lock"
    git -C "$dir" fetch --quiet --depth 1 "$source" "$commit" 2>"$log" ||
      git -C "$dir" fetch --quiet "$source" '+refs/heads/*:refs/remotes/origin/*' 2>>"$log" || return 1
  fi
  git -C "$dir" -c advice.detachedHead=false checkout --quiet --force --detach "$commit" 2>>"$log"
}

commit_of() { git -c 'safe.directory=*' -C "$1" rev-parse HEAD 2>/dev/null || echo unknown; }

# A local folder without a usable history: its files as they are, less environments and outputs.
copy_files() {
  local source=$1 dir=$2
  rm -rf "$dir"
  mkdir -p "$dir"
  tar -C "$source" --exclude=.git --exclude=./venv --exclude=./.venv --exclude=./output \
    --exclude=__pycache__ --exclude=node_modules -cf - . | tar -C "$dir" -xf -
  # The commit can then still be told: a HEAD without the objects is enough for rev-parse.
  local commit
  commit=$(commit_of "$source")
  [ "$commit" = unknown ] || { git init --quiet "$dir" && printf '%s\n' "$commit" >"$dir/.git/HEAD"; }
  [ ! -f "$source/sd-scripts/train_network.py" ] || copy_files "$source/sd-scripts" "$dir/sd-scripts"
}

# The script that says: this is the engine. A kohya_ss checkout carries it in sd-scripts.
has_engine() {
  case $ENGINE in
  ai-toolkit) [ -f "$1/run.py" ] && [ -d "$1/toolkit" ] ;;
  kohya_ss) [ -f "$1/train_network.py" ] || [ -f "$1/sd-scripts/train_network.py" ] ;;
  esac
}

# kohya_ss as a source: its sd-scripts is a submodule, taken from the folder beside it where it is filled.
fetch_submodule() {
  local source=$1 dir=$2 inner
  SUBMODULE=$(git -C "$dir" ls-tree HEAD sd-scripts 2>/dev/null | awk '$2 == "commit" { print $3 }')
  inner=$source/sd-scripts
  if is_local "$source" && [ -f "$inner/train_network.py" ]; then
    copy_files "$inner" "$dir/sd-scripts"
  elif [ -n "$SUBMODULE" ]; then
    say "$ENGINE: the source is kohya_ss itself; its sd-scripts is taken at ${SUBMODULE:0:12}."
    fetch_commit "$SD_SCRIPTS_SOURCE" "$SUBMODULE" "$dir/sd-scripts"
  fi
}

# fetch_any SOURCE DIR: the first pin that the source has; a local folder may also be used as it is.
fetch_any() {
  local source=$1 dir=$2 pin
  for pin in $PINS; do
    if fetch_commit "$source" "$pin" "$dir"; then return 0; fi
  done
  is_local "$source" && [ -z "$ASKED" ] || return 1
  if has_engine "$source" || [ -f "$source/kohya_gui.py" ]; then
    say "$ENGINE: the history in $source does not give ${PINS%% *} whole; its files are copied as they are."
    copy_files "$source" "$dir"
    return
  fi
  return 1
}

# Puts the code in place by one rename, so that a half of it is never found there.
place() {
  local new=$1 home=$2
  if [ -e "$home" ]; then
    [ -r "$STATE/source" ] || fail "$home is there already and was not put there by this script. Move it away, or name it in ${PREFIX}_DIR and do without bootstrap."
    rm -rf "$home.old"
    mv "$home" "$home.old"
  fi
  mv "$new" "$home"
  rm -rf "$home.old"
}

# get_code SOURCE: ENGINES_DIR/<engine> holds the code; COMMIT is what it is.
get_code() {
  local source=$1 home=$ENGINES_DIR/$ENGINE new=$STATE/code want
  want="$source $PINS"
  if ! { stamped source "$want" && has_engine "$home"; }; then
    begin source "getting the code from $source ..."
    [ ! -e "$home" ] || [ -r "$STATE/source" ] || fail "$home is there already and was not put there by this script. Move it away, or name it in ${PREFIX}_DIR and do without bootstrap."
    fetch_any "$source" "$new" || source_failed "$source" "${PINS%% *}"
    if ! has_engine "$new"; then fetch_submodule "$source" "$new" || source_failed "$SD_SCRIPTS_SOURCE" "$SUBMODULE"; fi
    has_engine "$new" || fail "$source is not a checkout of $ENGINE: its training script is not in it. Set ${PREFIX}_SOURCE."
    place "$new" "$home"
    stamp source "$want"
  fi
  if [ "$ENGINE" = kohya_ss ] && [ -f "$home/sd-scripts/train_network.py" ]; then home=$home/sd-scripts; fi
  HOME_OF_ENGINE=$home
  COMMIT=$(commit_of "$home")
  case " $PINS " in *" $COMMIT "*) ;; *)
    warn "$ENGINE is at ${COMMIT:0:12}, not at the pinned ${PINS:0:12}: the options of the installed one are read, but it was not tried here."
    ;;
  esac
}

source_failed() {
  sed 's/^/  git: /' "$STATE/git.log" >&2 2>/dev/null || true
  fail "the code could not be had from $1. Is there a network, and does it hold $2? What was fetched is kept: run the same command again, or set ${PREFIX}_SOURCE to another address or a local checkout."
}
