#!/usr/bin/env bash
# Runs a command with the programs of other servers: tests/services.sh COMMAND [ARGUMENT...]
#
# The tests start these servers themselves, in temporary folders and on free ports. As root, the
# script installs a missing program with apt, and starts no service. The command gets the path of
# nginx in TEST_NGINX. The exit code is that of the command, or 1 without a program.
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

nginx=${TEST_NGINX:-$(find_program nginx)}
if [[ -z "$nginx" ]]; then
    install nginx-light
    nginx=$(find_program nginx)
fi
if [[ -z "$nginx" ]]; then
    echo "nginx is missing: install it (Debian: apt-get install nginx-light), or set TEST_NGINX" >&2
    exit 1
fi

TEST_NGINX=$nginx exec "$@"
