"""The exchange as root's side of an update sees it: stopped, started, and asked as its own user."""

import json
import subprocess
from typing import Any

from appliance.updates.words import NotGood
from os_image.installer import install

CLI = "/usr/lib/bentevi/cli"
STEP_SECONDS = 6 * 3600  # a first backup may take hours


class Home:
    """By systemd and the command of the product."""

    def ask(self, step: str) -> Any:
        """One step of `bentevi update-data`, as the user bentevi; what it says. Raises NotGood as it does, RuntimeError when it fails otherwise."""
        words = ["runuser", "-u", "bentevi", "--", CLI, "update-data", step]
        run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=STEP_SECONDS)
        said: dict[str, Any] = {}
        for line in run.stdout.splitlines()[-1:]:
            said = json.loads(line) if line.startswith("{") else {}
        if "code" in said:
            raise NotGood(str(said["code"]), **dict(said["values"]))
        if run.returncode or "said" not in said:
            raise RuntimeError(f"{step}: {' / '.join((run.stdout + run.stderr).splitlines()[-5:]) or run.returncode}")
        return said["said"]

    def stop(self) -> None:
        """Everything of the exchange, and what looks after it."""
        install.run("systemctl", "stop", "bentevi.target", "bentevi-*.service", "appliance-watch.service")

    def start(self) -> None:
        """Again, after a restart that did not come about."""
        install.run("systemctl", "start", "bentevi.target")
