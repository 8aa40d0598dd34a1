#!/bin/bash
# Gives the product its Python: a virtual environment holding exactly what the lock file names, every file checked
# against its hash. `python.sh requirements.lock` (or requirements-test.lock) prints the folder.
#
# The folder lies in the user's cache and is named after what is in it, so that checkouts with the same lock share it
# and a changed lock never alters an environment a running product uses. Packages come from wherever this machine's
# pip is told to look.
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bentevi
lock=$checkout/$1

say() { echo "bentevi: $*" >&2; }

# The first Python new enough that can also make an environment (Debian keeps that part in a package of its own).
python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

main() {
    local hash folder interpreter
    hash=$(sha256sum < "$lock")
    folder=$cache/python-${hash:0:12}
    if [ ! -e "$folder/.ready" ]; then
        mkdir -p "$cache"
        exec 9>"$folder.lock"
        flock 9                # a second start waits here, then finds the work done
        if [ ! -e "$folder/.ready" ]; then
            interpreter=$(python) || { "$checkout/setup/packages.sh" python3 python3-venv; interpreter=$(python); } ||
                { say "no Python 3.11 or newer was found on this machine"; exit 2; }
            say "installing the Python packages of $1"
            rm -rf "$folder"
            "$interpreter" -m venv "$folder"
            "$folder/bin/python" -m pip install --disable-pip-version-check --no-input --require-hashes --no-deps \
                -r "$lock" > "$folder/pip.log" 2>&1 || { tail -n 20 "$folder/pip.log" >&2; exit 1; }
            touch "$folder/.ready"
        fi
    fi
    echo "$folder"
}

main "$@"
