#!/usr/bin/env bash
# Tests the pages in Chromium: tests/browser.sh [ARGUMENT OF playwright test...]
#
# Needs the playground, the debug binary, and `npm ci` in tests/browser. The browser is $CHROMIUM or
# the installed one; as root, the script installs Debian's.
set -euo pipefail
cd "$(dirname "$0")/browser"

find_chromium() {
    local name
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        if [[ -n "$name" ]] && command -v "$name"; then
            return
        fi
    done
    return 0
}

chromium=$(find_chromium)
if [[ -z "$chromium" && $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    # Without a font there is no text to test.
    apt-get update -qq >&2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            chromium fonts-dejavu-core >/dev/null
    chromium=$(find_chromium)
fi
if [[ -z "$chromium" ]]; then
    echo "Chromium is missing: install it (Debian: apt-get install chromium), or set CHROMIUM" \
        "to its path" >&2
    exit 1
fi

CHROMIUM=$chromium exec npm test --silent -- "$@"
