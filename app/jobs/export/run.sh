#!/bin/sh
# Trains the LoRA {{name}} with {{engine}} and nothing else; see README.txt.
#   {{prefix}}_DIR     the engine's checkout
#   {{prefix}}_PYTHON  its Python interpreter
set -eu

home=${{{prefix}}_DIR:-}
[ -n "$home" ] || home={{home}}
python=${{{prefix}}_PYTHON:-}
[ -n "$python" ] || python={{python}}

stop() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Absolute paths, for the engine is started in its own folder.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
case $here in
  *[[:cntrl:]]* | *'${'*) stop "Move this folder: neither a control character nor \${ may be in its path." ;;
esac
if [ -d "$home/sd-scripts" ]; then home=$home/sd-scripts; fi
[ -f "$home/{{script}}" ] || stop "There is no {{script}} in $home. Set {{prefix}}_DIR to the engine's checkout."
home=$(CDPATH= cd -- "$home" && pwd)
command -v -- "$python" >/dev/null || stop "$python cannot be run. Set {{prefix}}_PYTHON to the engine's interpreter."
case $python in
  */*) python=$(CDPATH= cd -- "$(dirname -- "$python")" && pwd)/$(basename -- "$python") ;;
esac

# An engine may train on nothing and say so nowhere; what native/ no longer names is not looked for.
for needed in {{paths}}; do
  if [ ! -e "$needed" ] && grep -qF -- "$needed" "$here"/native/*; then
    stop "There is no $needed. Put it in place, or name another one in native/."
  fi
done

# native/ holds a mark where this folder's path belongs, between double quotes each time.
fill() {
  HERE=$here awk '
    BEGIN {
      mark = "/@HERE@"
      path = ENVIRON["HERE"]
      for (i = 1; i <= length(path); i++) {
        letter = substr(path, i, 1)
        if (letter == "\\" || letter == "\"") text = text "\\"
        text = text letter
      }
    }
    {
      line = ""
      rest = $0
      while ((at = index(rest, mark)) > 0) {
        line = line substr(rest, 1, at - 1) text
        rest = substr(rest, at + length(mark))
      }
      print line rest
    }' "$1"
}
mkdir -p "$here/ready" "$here/output" "$here/logs"
for file in "$here"/native/*; do
  fill "$file" >"$here/ready/$(basename -- "$file")"
done

{{environment}}
cd -- "$home"
exec {{command}} </dev/null
