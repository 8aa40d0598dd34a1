"""Jobs around the certificate."""

from appliance.certificates import keep as keeping


def keep(_: int = 0) -> None:
    """Bring into force what the settings ask for, and renew what is about to end. May run at any time."""
    keeping.now()
