"""Jobs of desk phones."""

from appliance.desk_phones import reload


def tell_of_port(_: int = 0) -> None:
    """Phones with a file that names another SIP port fetch it again (SYS-07). May run twice. Raises Busy while Asterisk is down."""
    reload.tell_of_port()
