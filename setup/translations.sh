#!/bin/bash
# Compiles the catalogues of web/translations: `translations.sh PYTHON`. The compiled form is never committed, because
# it can be made again from the text at any time and would differ in every branch.
set -euo pipefail

folder=$(cd "$(dirname "$0")/.." && pwd)/web/translations
if [ -d "$folder" ]; then
    "$1" -m babel.messages.frontend --quiet compile --directory "$folder"
fi
