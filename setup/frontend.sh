#!/bin/bash
# Fetches what browsers load (htmx, Tabler, icons) with npm, exactly as package-lock.json names it and checks its
# hashes, and copies the few files the pages use into web/static/vendor/. `frontend.sh PYTHON` names the Python to use.
#
# npm only unpacks here: no package may run a script of its own, nothing is compiled, and nothing of node is needed
# afterwards. The packages stay in the user's cache, named after the lock, and serve every checkout with that lock.
# The registry is the one this machine's npm is told to use; the lock names none.
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bentevi
hash=$(sha256sum < "$checkout/package-lock.json")
folder=$cache/node-${hash:0:12}

say() { echo "bentevi: $*" >&2; }

mkdir -p "$cache"
exec 9>"$folder.lock"
flock 9
if [ ! -e "$folder/.ready" ]; then
    if ! command -v npm > /dev/null; then "$checkout/setup/packages.sh" nodejs npm; fi
    say "fetching what the pages load"
    rm -rf "$folder"
    mkdir "$folder"
    cp "$checkout"/{package.json,package-lock.json,.npmrc} "$folder"
    (cd "$folder" && npm ci --ignore-scripts > npm.log 2>&1) || { tail -n 20 "$folder/npm.log" >&2; exit 1; }
    touch "$folder/.ready"
fi
"$1" "$checkout/setup/vendor.py" "$folder/node_modules"
