#!/usr/bin/env bash
# Runs a command with a PostgreSQL of its own: tests/postgres.sh COMMAND [ARGUMENT...]
#
# The server runs in a temporary folder, on a free port of 127.0.0.1, and is deleted when the command
# exits, for whatever reason. The command gets its URL in TEST_POSTGRES_URL, and in
# TEST_POSTGRES_BINARIES the folder of initdb and postgres, for tests that start a server themselves.
# If the first is already set, the script only runs the command. Server options in
# TEST_POSTGRES_OPTIONS override those below. The exit code is that of the command, or 1 without a
# server.
set -euo pipefail

if [[ $# -eq 0 ]]; then
    echo "usage: $0 COMMAND [ARGUMENT...]" >&2
    exit 2
fi

# The folder of initdb and postgres: the newest installed version, else from PATH.
find_binaries() {
    local folder
    for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V -r); do
        if [[ -x "$folder/initdb" && -x "$folder/postgres" ]]; then
            echo "$folder"
            return
        fi
    done
    if command -v initdb >/dev/null && command -v postgres >/dev/null; then
        dirname "$(command -v initdb)"
    fi
}

binaries=${TEST_POSTGRES_BINARIES:-$(find_binaries)}
if [[ -n "${TEST_POSTGRES_URL:-}" ]]; then
    TEST_POSTGRES_BINARIES=$binaries exec "$@"
fi
if [[ -z "$binaries" && $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    # Only install the binaries: no cluster, no service.
    mkdir -p /etc/postgresql-common
    [[ -e /etc/postgresql-common/createcluster.conf ]] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >&2
    binaries=$(find_binaries)
fi
if [[ -z "$binaries" ]]; then
    echo "PostgreSQL is missing: install its server (Debian: apt-get install postgresql)," \
        "or set TEST_POSTGRES_URL" >&2
    exit 1
fi
export TEST_POSTGRES_BINARIES=$binaries

# initdb refuses to run as root.
as_server=()
if [[ $(id -u) -eq 0 ]]; then
    id postgres >/dev/null 2>&1 || useradd --system --no-create-home postgres
    as_server=(runuser -u postgres --)
fi

folder=$(mktemp -d /tmp/entourage-postgres.XXXXXX)
if [[ $(id -u) -eq 0 ]]; then
    chown postgres "$folder"
fi

stop() {
    trap - EXIT INT TERM
    "${as_server[@]}" "$binaries/pg_ctl" --pgdata="$folder/data" --mode=immediate --silent stop \
        >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$folder"
"${as_server[@]}" "$binaries/initdb" --pgdata="$folder/data" --username=postgres --auth=trust \
    --encoding=UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 ||
    { cat "$folder/initdb.log" >&2; exit 1; }
cd - >/dev/null

# Durability does not matter here, so nothing waits for the disk. If the chosen port is taken before
# the server binds it, another is tried.
for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    if (cd "$folder" && "${as_server[@]}" "$binaries/pg_ctl" --pgdata="$folder/data" --silent \
        --wait --timeout=30 --log="$folder/server.log" --options="-p $port -k '$folder' \
            -c listen_addresses=127.0.0.1 -c max_connections=300 -c shared_buffers=256MB \
            -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
            ${TEST_POSTGRES_OPTIONS:-}" start \
        >/dev/null 2>&1); then
        export TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
        break
    fi
done
if [[ -z "${TEST_POSTGRES_URL:-}" ]]; then
    echo "PostgreSQL does not start:" >&2
    cat "$folder/server.log" >&2
    exit 1
fi

# In the background, so that signals are handled while the command runs.
"$@" <&0 &
command=$!
trap 'kill -INT $command 2>/dev/null; wait $command; exit 130' INT
trap 'kill -TERM $command 2>/dev/null; wait $command; exit 143' TERM
status=0
wait $command || status=$?
exit "$status"
