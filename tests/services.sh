#!/usr/bin/env bash
# Runs a command with the programs of other servers: tests/services.sh COMMAND [ARGUMENT...]
#
# The tests start these servers themselves, in temporary folders and on free ports. As root, the
# script installs a missing program with apt, and starts no service. The command gets the path of
# nginx in TEST_NGINX and that of PgBouncer in TEST_PGBOUNCER, and finds sqlite3 in the PATH. The exit code is that of the command, or 1 without a program.
set -euo pipefail

if [[ $# -eq 0 ]]; then
    echo "usage: $0 COMMAND [ARGUMENT...]" >&2
    exit 2
fi

# The path of a program: find_program NAME. Servers are often not in the PATH of a user.
find_program() {
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" || true
}

# Installs a package without starting its service: install PACKAGE...
install() {
    if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
        return
    fi
    # The exit code 101 forbids the package to start its service.
    local policy=/usr/sbin/policy-rc.d has_policy=yes
    if [[ ! -e "$policy" ]]; then
        has_policy=no
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    { apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
        >&2 || true
    if [[ "$has_policy" == no ]]; then
        rm -f "$policy"
    fi
}

# The path of a program that a package has, which is installed if it is missing: need NAME PACKAGE.
need() {
    if [[ -z $(find_program "$1") ]]; then
        install "$2"
    fi
    local found
    found=$(find_program "$1")
    if [[ -z "$found" ]]; then
        echo "$1 is missing: install it (Debian: apt-get install $2)" >&2
        return 1
    fi
    echo "$found"
}

TEST_NGINX=${TEST_NGINX:-$(need nginx nginx-light)}
TEST_PGBOUNCER=${TEST_PGBOUNCER:-$(need pgbouncer pgbouncer)}
# The recipes of docs/moving-in.md read files with it.
need sqlite3 sqlite3 >/dev/null
export TEST_NGINX TEST_PGBOUNCER
exec "$@"
