"""Jobs that keep Asterisk's copy of follow-me and locks as the rows say."""

from appliance.follow_me import state


def put(extension_id: int) -> None:
    """One extension's, after a change. May run twice."""
    state.put(extension_id)


def put_all(_: int = 0) -> None:
    """All of them: an Asterisk that lost its database has them again."""
    state.put_all()
