"""Members of queues go to Asterisk as soon as their row is committed."""

from appliance.queues import members as asterisk


def members(queue_id: int) -> None:
    """Bring one queue's members to what its row says. May run twice; a queue that is gone or not in force yet has nothing to do."""
    asterisk.sync(queue_id)
