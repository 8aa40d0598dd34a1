"""Copies what browsers load from the unpacked npm packages into web/static/vendor/: `vendor.py NODE_MODULES`.

Every file gets a part of its content's hash in its name, so that browsers may keep it for a year; `manifest.json` there
says which file a page's word means today ("htmx.js" → "htmx.1f3a5c7e9b2d.js"). Standard library only: it runs before
anything of ours is trusted to work.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENDOR = CHECKOUT / "web/static/vendor"
ICONS = CHECKOUT / "setup/icons.txt"

# The word a page uses → the file of a package.
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/dist/sse.min.js",
    "idiomorph.js": "idiomorph/dist/idiomorph-ext.min.js",
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "tabler.js": "@tabler/core/dist/js/tabler.min.js",
}


def icon_names() -> list[str]:
    lines = ICONS.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def sprite(packages: Path) -> str:
    """One SVG holding every icon as a symbol; colour and size come from the page's text."""
    symbols = [symbol(packages / "@tabler/icons/icons", name) for name in icon_names()]
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def symbol(folder: Path, name: str) -> str:
    filled = name.endswith("-filled")
    file = folder / ("filled" if filled else "outline") / f"{name.removesuffix('-filled')}.svg"
    if not file.exists():
        raise SystemExit(f"{ICONS}: there is no icon called {name}")
    found = re.search(r"<svg[^>]*>(.*)</svg>", file.read_text(), re.DOTALL)
    assert found, file
    shapes = " ".join(found.group(1).split())
    paint = (
        'fill="currentColor"'
        if filled
        else 'fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"'
    )
    return f'<symbol id="{name}" viewBox="0 0 24 24" {paint}>{shapes}</symbol>'


def hashed(word: str, content: bytes) -> str:
    stem, dot, ending = word.rpartition(".")
    return f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}{dot}{ending}"


def main(packages: Path) -> None:
    contents = {word: (packages / file).read_bytes() for word, file in FILES.items()}
    contents["icons.svg"] = sprite(packages).encode()
    names = {word: hashed(word, content) for word, content in contents.items()}
    # A complete folder takes the place of the old one, so that a page never meets half of it.
    fresh = VENDOR.with_name(f"vendor.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for word, content in contents.items():
        (fresh / names[word]).write_bytes(content)
    (fresh / "manifest.json").write_text(json.dumps(names, indent=1, sort_keys=True) + "\n")
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
