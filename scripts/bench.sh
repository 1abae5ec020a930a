#!/usr/bin/env bash
# Prints a table of measurements. Compare within one sitting, by ratios.
#   ./scripts/bench.sh            the whole program beside yardsticks of the same minutes, and what is asked (3 to 5 minutes;
#                                 BENCH_JOBS, BENCH_POINTS, BENCH_IMAGES, BENCH_LOG_MB, BENCH_TRANSFER_MB, BENCH_IDLE_SECONDS)
#   ./scripts/bench.sh queue      start, submit to exec, idle, eight busy jobs (about 2 minutes)
#   ./scripts/bench.sh datasets   import, upload, scan, pages, report of 10,000 pictures (BENCH_IMAGES for fewer; needs unzip)
#   ./scripts/bench.sh watching   log of 5 GB, chart of 1,000,000 points, table of 10,000 jobs, one open page
#   ./scripts/bench.sh heap       heap of an open page of a running job, minute by minute (12 minutes; BENCH_MINUTES, BENCH_SNAPSHOTS)
#   ./scripts/bench.sh cluster    500 queued jobs on a real Slurm cluster (root; munge, slurmctld, slurmd, slurm-client)
#   ./scripts/bench.sh pages      every page in Chromium as Lighthouse judges it (about 6 minutes; names of pages for some)
set -euo pipefail
ROOT=$(CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$ROOT/.venv}
# shellcheck source=scripts/environment.sh
. "$ROOT/scripts/environment.sh"
help_if_asked "$0" "$@"
bench=${1:-whole}
case "$bench" in
whole | queue | datasets | watching | heap | cluster | pages) ;;
*) fail "there is no bench '$bench'; there are: queue, datasets, watching, heap, cluster, pages, and the whole without a name" ;;
esac
ensure_environment "$ROOT/requirements-dev.lock" test
cd "$ROOT"
exec "$VENV/bin/python" -m "tests.bench.$bench" "${@:2}"
