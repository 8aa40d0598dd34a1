"""The job behind “Aplicar”."""

from appliance import applying


def run(attempt_id: int) -> None:
    """Put everything the database says into force. May be delivered twice: only a queued attempt is taken."""
    applying.run(attempt_id)
