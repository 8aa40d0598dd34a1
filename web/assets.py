"""Addresses of style sheets, scripts and icons; vendored files bear a hash in their name, so browsers keep them."""

import hashlib
import json
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"


@cache
def url(name: str) -> str:
    """The address of a file by its logical name (`htmx.js`), vendored or our own."""
    vendored = _manifest().get(name)
    if vendored:
        return f"/static/vendor/{vendored}"
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?{digest}"


@cache
def _manifest() -> dict[str, str]:
    """Written at set-up by setup/ from the locked packages."""
    found: dict[str, str] = json.loads((STATIC / "vendor" / "manifest.json").read_text())
    return found
