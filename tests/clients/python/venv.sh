#!/usr/bin/env bash
# Creates the virtual environment `.venv` next to this file, with all of requirements.txt.
#
# Debian packages a part of Python's venv separately; as root, the script installs it with apt.
set -euo pipefail
cd "$(dirname "$0")"

can_make_one() {
    python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! can_make_one && [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
fi
if ! can_make_one; then
    echo "Python 3.11 with venv is missing: install it (Debian: apt-get install python3-venv)" >&2
    exit 1
fi

python3 -m venv --clear .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
