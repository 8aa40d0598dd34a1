"""What the console shows above its login: version, fingerprint of the certificate, and the code of the first visit until it was used.

The address is not written here: agetty puts today's in the place of \\4, so that it never is yesterday's. The code is the first
password, which must be changed at the first login; it stands on the console only, never in an answer of SSH or of the pages.
"""

import os
import re
import subprocess
from pathlib import Path

HOME = Path("/var/lib/bentevi")
ISSUE = Path("/run/issue.d/60-bentevi.issue")
RELEASE = Path("/etc/os-release")


def text(release: str, fingerprint: str, code: str) -> str:
    """The lines. No accents: a console has them only after its fonts are there."""
    version = re.search(r'^IMAGE_VERSION="?([^"\n]+)', release, re.M)
    lines = [f"  Versao:     {version[1]}"] if version else []
    if fingerprint:
        half = len(fingerprint) // 2
        lines += [f"  Impressao digital do certificado (SHA-256):\n    {fingerprint[:half + 1]}\n    {fingerprint[half + 1:]}"]
    if code:
        lines += ["", "  PRIMEIRA VISITA: usuario admin, codigo " + code, "  (vale uma vez: ao entrar, escolha a sua senha)"]
    return "\n".join([*lines, "", ""])


def fingerprint() -> str:
    """Of the certificate in use; "" before there is one."""
    run = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(HOME / "secrets/https/https.pem")],
                         capture_output=True, text=True, check=False)  # fmt: skip
    return run.stdout.partition("=")[2].strip()


def main() -> None:
    """Write it whole, and have every console shown anew."""
    file = HOME / "secrets/first_password"
    code = file.read_text().strip().replace("\\", "\\\\") if file.exists() else ""
    fresh = ISSUE.with_suffix(".new")
    ISSUE.parent.mkdir(exist_ok=True)
    fresh.write_text(text(RELEASE.read_text(), fingerprint(), code))
    os.chmod(fresh, 0o600)
    fresh.rename(ISSUE)
    subprocess.run(["agetty", "--reload"], check=False)


if __name__ == "__main__":
    main()
