#!/usr/bin/env bash
# Runs a benchmark with its own PostgreSQL: benches/peers/run.sh peers|growth [OPTION...]
#
# Needs the release binary (or the one in $ENTOURAGE), Node, wrk, and PostgreSQL with pgbench and
# pg_stat_statements; as root, the script installs the last two with apt. docs/performance.md says
# what is measured and how to read it.
set -euo pipefail
cd "$(dirname "$0")/../.."

what=${1:-}
if [[ "$what" != peers && "$what" != growth ]]; then
    echo "usage: $0 peers|growth [OPTION...]" >&2
    exit 2
fi
shift

if ! command -v wrk >/dev/null && [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq wrk >&2
fi
if ! command -v wrk >/dev/null; then
    echo "wrk is missing: install it (Debian: apt-get install wrk)" >&2
    exit 1
fi

# Never fill and measure an existing server.
unset TEST_POSTGRES_URL
# Configured as in production: commits wait for the disk, and the whole graph fits into memory. No
# checkpoint happens during a measurement. JIT is as the server has it: Entourage switches it off for
# its own sessions.
export TEST_POSTGRES_OPTIONS="-c fsync=on -c synchronous_commit=on -c full_page_writes=on \
    -c shared_buffers=1GB -c effective_cache_size=4GB -c maintenance_work_mem=256MB \
    -c random_page_cost=1.1 -c max_wal_size=8GB -c checkpoint_timeout=30min \
    -c shared_preload_libraries=pg_stat_statements"
exec tests/postgres.sh node "benches/peers/$what.mjs" "$@"
