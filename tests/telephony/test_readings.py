"""A long list of Asterisk's may have holes; whoever is missing in it counts only when asking by name does not find it either."""

from appliance.telephony import readings
from appliance.telephony.readings import Object, Written

HERE = Written("dialplan/lock.conf", 29, ("", 0), (("exten", "1"),))
LINES = {"bentevi-in": "'_X.' => 1. NoOp() [in.conf:3]", "bentevi-locked-rest": "'_X.' => 1. Hangup() [lock.conf:30]"}


def shown(text: str) -> str:
    """An Asterisk whose list of contexts lost the line of one, and which does not know another at all."""
    if text == "dialplan show":
        return "[ Context 'bentevi-in' created by 'pbx_config' ]\n  " + LINES["bentevi-in"]
    name = text.removeprefix("dialplan show ")
    return f"[ Context '{name}' created by 'pbx_config' ]\n  {LINES[name]}" if name in LINES else f"There is no existence of '{name}' context"


def test_a_line_lost_in_a_long_list_refuses_no_revision_and_a_context_that_is_not_there_does():
    """Seen once among three thousand tests on a busy machine: everything was loaded, and the apply went back."""
    written = {Object("context", name): HERE for name in ("bentevi-in", "bentevi-locked-rest", "bentevi-nowhere")}
    found = readings.not_loaded(shown, written)
    assert [one.parameters["section"] for one in found] == ["bentevi-nowhere"]


def test_where_nearly_everything_is_missing_nobody_is_asked_for_one_by_one():
    """Thousands of questions would hold the apply up, to say what is plain already."""
    asked = []

    def nothing(text: str) -> str:
        asked.append(text)
        return ""

    written = {Object("context", f"bentevi-{number}"): HERE for number in range(readings.MOST_ASKED_AGAIN + 1)}
    assert len(readings.not_loaded(nothing, written)) == len(written) and asked == ["dialplan show"]
