"""wapiti against the pages, as an administrator and as nobody: no finding above low (docs/hardening.md)."""

import http.client
import json
import re
import subprocess
import urllib.parse

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

MODULES = "xss,permanentxss,sql,timesql,exec,file,crlf,csrf,redirect,ssrf,xxe,upload,cookieflags,csp,http_headers,https_redirect,methods"
# Left out: what ends the session or takes away the right to go on, what stops or exchanges what is attacked, what calls or writes to the outside.
LEFT_OUT = ["logout*", "password*", "users*", "language*", "apply*", "revisions*", "backups*", "email*", "static*", "live*"]
SCAN_SECONDS, ATTACK_SECONDS = 120, 40  # the second: for each module
LOW = 1


def session_of(target, login: str, password: str) -> str:
    """The cookie of somebody who has logged in by the page."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port("HTTP"), timeout=30)
    connection.request("GET", "/login")
    page = connection.getresponse()
    token, cookie = re.search(rb'name="csrf_token" value="([^"]+)"', page.read()), str(page.getheader("Set-Cookie")).split(";")[0]
    assert token
    form = urllib.parse.urlencode({"csrf_token": token[1].decode(), "login": login, "password": password})
    connection.request("POST", "/login", form, {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 302
    return str(answer.getheader("Set-Cookie")).split(";")[0]


@pytest.mark.parametrize("who", ["administrator", "nobody"])
def test_wapiti_finds_nothing_above_low(target, tools, tmp_path, who):
    """USR-35."""
    here, report = f"https://127.0.0.1:{target.port('HTTPS')}/", tmp_path / "report.json"
    cookie = ["--cookie-value", session_of(target, "ana.souza", "Ana@Padaria4")] if who == "administrator" else []
    starts = ["extensions", "queues", "ivrs", "trunks", "inbound_routes", "audio_prompts", "reports/calls", "audit", "map", "own"]
    done = subprocess.run([
        tools / "wapiti", "--url", here if cookie else f"{here}login", *(word for path in starts for word in ("--start", here + path)), "--scope", "folder", "--depth", "3",
        "--max-links-per-page", "60", "--max-files-per-dir", "8", "--max-scan-time", str(SCAN_SECONDS), "--max-attack-time", str(ATTACK_SECONDS),
        "--tasks", "4", "--module", MODULES, *cookie, "--skip", "csrf_token", *(word for path in LEFT_OUT for word in ("--exclude", here + path)),
        "--endpoint", "http://127.0.0.1:9/", "--dns-endpoint", "localhost", "--format", "json", "--output", report, "--flush-session",
        "--store-session", tmp_path, "--store-config", tmp_path, "--no-bugreport",
    ], cwd=tmp_path, text=True, errors="replace", capture_output=True, check=False)  # fmt: skip
    assert report.exists(), done.stdout[-5000:] + done.stderr[-5000:]
    found = json.loads(report.read_text())
    assert found["infos"]["crawled_pages_nbr"] >= (30 if cookie else 2), done.stdout[-5000:]
    above = [(kind, one["level"], one["method"], one["path"], one["info"]) for part in ("vulnerabilities", "anomalies")
             for kind, those in found[part].items() for one in those if one["level"] > LOW]
    assert not above
    assert not target.own_mistakes()
