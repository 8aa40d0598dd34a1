"""`bentevi capture`: the ladder of a real call, its passwords left out (SYS-19)."""

import threading
import time

import pytest

from appliance import settings
from appliance.support import capture
from tests.build import make_class, make_extension

pytestmark = pytest.mark.pbx


def test_a_real_call_becomes_a_ladder_of_both_legs(pbx, phones):
    """SYS-19: who said what to whom in order, the leg to the telephone called too; no digest of a password; the file is gone."""
    make_class("Casa")
    for number in ("1001", "1002"):
        make_extension(number, **{"class": "Casa"})
    pbx.apply()
    ana, bia = (phones.phone(number, f"secret-{number}") for number in ("1001", "1002"))
    machine, found, said = settings.load(), [], []
    listening = threading.Thread(target=lambda: found.extend(capture.listen(machine, "1002", 600, 1, said.append)))
    listening.start()
    while not said:
        time.sleep(0.05)
    call = ana.call("1002")
    there = bia.answer()
    call.wait_answered()
    there.hang_up()
    listening.join(timeout=60)
    assert not listening.is_alive(), "it ends with the call, not with its time"
    assert len(found) == 1, (said, found)
    assert len(found[0].legs) == 2, found[0].messages
    assert not (machine.asterisk / "capture").exists()
    drawn = "\n".join(capture.ladder(found[0]))
    order = [drawn.index(word) for word in ("INVITE (SDP)", "100 Trying", "180 Ringing", "200 OK (SDP)", "BYE")]
    assert order == sorted(order) and "►" in drawn and "◄" in drawn and drawn.count("BYE") == 2
    whole = "\n".join(capture.texts(found[0]))
    assert "Digest" not in whole and "response=" not in whole and "CSeq" in whole


def test_messages_of_a_file_that_is_still_written_are_read_as_far_as_they_go(tmp_path):
    """SYS-19: the last frame may be cut."""
    file = tmp_path / "x.pcap"
    file.write_bytes(b"\xd4\xc3\xb2\xa1" + b"\0" * 20 + b"\1\0\0\0\0\0\0\0\x64\0\0\0\x64\0\0\0half")
    assert list(capture.messages(file, 5060)) == []
    file.write_bytes(b"")
    assert list(capture.messages(file, 5060)) == []
