"""Jobs about the company's settings."""

from appliance.company import protocol


def put_least(_: int = 0) -> None:
    """No protocol number that a call bears is given again, whatever became of Asterisk's database. May run at any time."""
    protocol.put_least()
