#!/bin/sh
# Bring the Portuguese catalogue up to date with the texts of the program (developers run it after writing a text).
# Guesses are not made: a new text stays empty until somebody translates it, and tests/test_translations.py says so.
# The head of the file stays as it is, so that a run without new texts changes nothing.
set -eu
cd "$(dirname "$0")/.."
pybabel=${PYBABEL:-pybabel}
pot=$(mktemp)
trap 'rm -f "$pot"' EXIT
"$pybabel" -q extract -F babel.cfg -k _l -k N_ --no-wrap --no-location --sort-output -o "$pot" .
"$pybabel" -q update -i "$pot" -d web/translations -l pt_BR --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
