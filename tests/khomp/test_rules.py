"""Khomp without I/O: allocation strings, what the console prints, what khomp.conf may say, and what is refused."""

import json
from shutil import rmtree

import pytest

from appliance import khomp_channels, settings, snapshots
from appliance.db import db
from appliance.errors import Refused
from appliance.khomp_boards import driver
from appliance.khomp_boards.model import boards
from appliance.resource import TABLE
from appliance.telephony import check_khomp, conf, khomp, reload, store
from appliance.telephony.khomp import FoundBoard, FoundChannel
from appliance.telephony.khomp_options import CHANNELS
from appliance.trunks import config
from tests.build import change, make, make_trunk

pytestmark = pytest.mark.usefixtures("app")

FXO = [(0, 0), (0, 1), (0, 2), (0, 3)]


def board(index=0, model="EBS-FXO", channels=4, **values):
    return make("khomp_boards", index=index, model=model, channels=channels, **values)


def line(name="EBS", **values):
    return make("trunks", **{"name": name, "protocol": "khomp", "channels": ["b0c0-3"]} | values)


def refused(field, make_it):
    with pytest.raises(Refused) as why:
        make_it()
    db.session.rollback()
    found = [name for name in why.value.messages if name == field or name.startswith(f"{field}-")]
    assert found, why.value.messages
    return why.value.messages[found[0]]


# --------------------------------------------------------------------------------------------------------- allocation


@pytest.mark.parametrize(("order", "text"), [
    ("ascending", "b0c0-3"), ("descending", "B0C0-3"), ("cyclic_ascending", "*b0c0-3"), ("cyclic_descending", "*B0C0-3"),
])
def test_the_four_orders_of_the_screen_as_the_driver_writes_them(order, text):
    """TRK-18: the case of the first letter is the direction, `*` at the very start the fewest calls."""
    assert khomp_channels.allocation(FXO, order) == text


@pytest.mark.parametrize(("order", "text"), [
    ("ascending", "b0c0-1 + b0c3 + b2c5"), ("descending", "B2C5 + B0C3 + B0C0-1"), ("cyclic_ascending", "*b0c0-1 + b0c3 + b2c5"),
    ("cyclic_descending", "*B2C5 + B0C3 + B0C0-1"),
])
def test_pieces_stand_in_the_direction_too(order, text):
    """TRK-18: several pieces are tried from left to right."""
    assert khomp_channels.allocation([(2, 5), (0, 3), (0, 1), (0, 0)], order) == text


@pytest.mark.parametrize(("text", "expected"), [
    ("b0", (0, None, None)), ("b1l1", (1, 30, 59)), ("B0C3", (0, 3, 3)), ("b0c0-3", (0, 0, 3)), ("s2352c0-3", (2352, 0, 3)), ("b00c060", (0, 60, 60)),
])
def test_pieces_that_the_driver_reads(text, expected):
    found = khomp_channels.atom(text)
    assert (found.board, found.first, found.last) == expected
    assert found.is_descending == text[0].isupper() and found.is_serial == text.startswith("s")


@pytest.mark.parametrize("text", ["", "b", "c0", "b0l0-1", "b0c3-1", "b0c", "b0c0:x", "b0c0/1", "g1", "b-1", "b0 c0", "b0c0-", "*b0", "b٠"])
def test_pieces_that_it_does_not_read(text):
    assert khomp_channels.atom(text) is None


# ------------------------------------------------------------------------------------------------------------ console


def test_the_summary_is_read_with_noise_and_of_every_kind_of_device():
    """TRK-17: E1 with links, analog PCI with bus and slot, EBS with address; `<K> ` and frames in front of a line."""
    versions, found = khomp.read_summary(
        "<K> 3.1.0;20110620;7\n<K> chan_khomp_4.3.027\n00;K2E1-600SPX;0374;60;2\n<K> 01;KFXO80;411;8;0;3;1.2\n"
        "<K> | 02;EBS-FXO;2352;4;00:1a:2b:3c:4d:5e;192.0.2.10;Up\n03;EBS-E1-SPX;700;30;00:1a:2b:3c:4d:5f;192.0.2.11;Down\n\nsomething else\n")
    assert versions == ["3.1.0;20110620;7", "chan_khomp_4.3.027"]
    assert found == [
        FoundBoard(0, "K2E1-600SPX", "0374", 60, 2, ("2",)), FoundBoard(1, "KFXO80", "411", 8, 0, ("0", "3", "1.2")),
        FoundBoard(2, "EBS-FXO", "2352", 4, 0, ("00:1a:2b:3c:4d:5e", "192.0.2.10", "Up")),
        FoundBoard(3, "EBS-E1-SPX", "700", 30, 1, ("00:1a:2b:3c:4d:5f", "192.0.2.11", "Down")),
    ]


def test_channels_are_read_with_two_and_three_digits_and_gsm_with_its_signal():
    """TRK-17."""
    found = khomp.read_channels("B00C00:unused:kcsFree:kfxsEnable\n<K> B00C012:up:kcsOutgoing:kecsBusy\n<K> B1C1:unused:kcsFail:kgsmNotReady:0%:<none>\n"
                                "B01C002:unused:kcsFree:kgsmIdle:87%:Vivo: Sul\nB00:nothing\n")
    assert found == {
        (0, 0): FoundChannel("unused", "kcsFree", "kfxsEnable"), (0, 12): FoundChannel("up", "kcsOutgoing", "kecsBusy"),
        (1, 1): FoundChannel("unused", "kcsFail", "kgsmNotReady", 0, "<none>"), (1, 2): FoundChannel("unused", "kcsFree", "kgsmIdle", 87, "Vivo: Sul"),
    }
    assert [khomp.state(one) for one in found.values()] == ["free", "busy", "failed", "free"]


@pytest.mark.parametrize(("call", "channel", "state"), [
    ("kcsFree", "kecsFree", "free"), ("kcsIncoming", "kecsIncoming", "busy"), ("kcsFree", "kecsLocalFail", "failed"), ("kcsFree", "kecsRemoteLock", "failed"),
    ("kcsFree", "kecsIncomingLock", "free"), ("kcsFree", "kfxsDisabled", "failed"), ("kcsFree", "kgsmSIMCardError", "failed"), ("kcsFail", "kecsFree", "failed"),
])
def test_the_words_of_a_channel_make_one_state(call, channel, state):
    assert khomp.state(FoundChannel("unused", call, channel)) == state


def test_links_and_the_missing_driver():
    assert khomp.read_links("B00L00:kesOk\n<K> B00L01:kesSignalLost,kesRemoteAlarm\nB01LXX:NoLinksAvailable\n") == {
        (0, 0): "Ok", (0, 1): "SignalLost,RemoteAlarm"}
    assert khomp.is_absent("No such command 'khomp summary concise' (type 'core show help khomp summary' for other possible commands)")
    assert khomp.read_summary("No such command 'khomp'")[1] == []


@pytest.mark.parametrize(("name", "channel"), [
    ("Khomp/B0C34-00000350", (0, 34)), ("Khomp/B0C0-0.0", (0, 0)), ("PJSIP/1000-00000001", None), ("Khomp_SMS/B0C1-1", None),
])
def test_a_channel_is_known_by_asterisks_name(name, channel):
    assert khomp_channels.channel_in_use(name) == channel


# --------------------------------------------------------------------------------------------------------- khomp.conf


def test_the_whole_file():
    """TRK-16, TRK-18: as the facts of the driver want it, each section compared as text, each row traceable."""
    board()
    board(1, "EBS-E1-SPX", 60)
    a = line(allocation="cyclic_ascending", extra={"fxo-busy-disconnection": "2000"}, echo_canceller=False)
    b = line("E1", channels=["b1l0", "b1c45"], allocation="descending", drop_collect_call=True,
             input_volume=-3, output_volume=2)
    text = config.khomp_conf()
    head, _, rest = text.partition("[channels]\n")
    assert "[globals]\n" in head and "load-error = skip\n" in head and "dial-string-like-dahdi = no\n" in head
    assert rest == f"""language = pt_BR

; from trunks {a.id}
[channels-b0c0-3]
; The account names the trunk in the call records.
accountcode = trunk-{a.id}
drop-collect-call = no
echo-canceller = no
fxo-busy-disconnection = 2000
input-volume = 0
output-volume = 0

; from trunks {b.id}
[channels-b1c0-29+b1c45]
; The account names the trunk in the call records.
accountcode = trunk-{b.id}
drop-collect-call = yes
echo-canceller = yes
input-volume = -3
output-volume = 2

[groups]
; from trunks {a.id}
trunk{a.id} = *b0c0-3:bentevi-from-trunk-{a.id}
; from trunks {b.id}
trunk{b.id} = B1C45 + B1C0-29:bentevi-from-trunk-{b.id}
"""


CONTEXTS = {"bentevi-khomp-nowhere", "inside"}
GOOD = """[globals]
load-error = skip
context-fxo = inside
context-gsm-wait = none
log-to-disk = errors,link
[channels]
language = pt_BR
input-volume = -10
drop-options = fax,unknown
[channels-b1c0+b1c1]
accountcode = trunk-7
[groups]
pstn = b0l0 + b1c38:inside
other = *s2352c0-3
[cadences]
ring = 1000,4000
[fxs-branches]
800 = 1234,4535
[fxs-hotlines]
800 = 99
[fxs-options]
800,801 = context:inside | calleridnum:2000
"""


def findings(text):
    return [(one.line, one.code) for one in check_khomp.problems(conf.read("khomp.conf", {"khomp.conf": text}), CONTEXTS)]


def test_a_file_of_the_vendors_grammar_passes():
    assert findings(GOOD) == []


@pytest.mark.parametrize(("line_", "code"), [
    ("[globals]\nload-eror = skip", "khomp_option"), ("[globals]\nload-error = maybe", "khomp_value"), ("[globals]\ncontext-fxo = nowhere", "missing_context"),
    ("[channels]\ninput-volume = 11", "khomp_value"), ("[channels]\nfxs-digit-timeout = 0", "khomp_value"), ("[channels]\ndrop-options = fax,cat", "khomp_value"),
    ("[channels]\necho-canceller = yes\necho-canceller = no", "khomp_twice"), ("[channels-b0x1]\nlanguage = pt_BR", "bad_allocation"),
    ("[channels]\nload-error = skip", "khomp_option"), ("[compatibility]\nx = y", "khomp_section"),
    ("[groups]\na = b0c0\na = b0c1", "khomp_twice"), ("[groups]\na = b0c0-3\nb = b0c3-4", "khomp_shared"), ("[groups]\na = b0\nb = B0C3", "khomp_shared"),
    ("[groups]\na = b0l1\nb = b0c30", "khomp_shared"), ("[groups]\na = s1c0\nb = s1c0", "khomp_shared"), ("[groups]\na-b = b0c0", "bad_name"),
    ("[groups]\na = b0c3-1", "bad_allocation"), ("[groups]\na = b0c0 + *b0c1", "bad_allocation"), ("[groups]\na = b0c0:nowhere", "missing_context"),
    ("[groups]\na = b0l0-1", "bad_allocation"), ("[cadences]\nring = 1000", "khomp_value"), ("[fxs-branches]\nx = 1", "khomp_value"),
    ("[fxs-options]\n800 = colour:red", "khomp_value"), ("[groups]\na = b0c0\n[groups]\nb = b0c1", "duplicate_section"),
])
def test_mistakes_of_khomp_conf_are_named(line_, code):
    """TRK-16: the driver would log them, if it is there at all."""
    found = findings(line_ + "\n")
    assert [one for _line, one in found] == [code], found


def test_every_default_of_an_option_is_a_value_it_takes():
    for name, option in CHANNELS.items():
        assert option.accepts(option.default) or option.default == "", name


def test_a_changed_file_asks_for_a_reload_and_a_missing_driver_is_no_mistake():
    """TRK-16: what the driver did not take is noticed by its dumps and waits for a restart."""
    board()
    line()
    files = {"khomp.conf": config.khomp_conf()}
    asked = []

    def absent(command):
        asked.append(command)
        return "No such module 'chan_khomp.so'\n" if command.startswith("module") else f"No such command '{command}'"

    assert reload.reload(absent, ["khomp.conf"]) == [] and asked == ["module reload chan_khomp.so"]
    assert reload.needs_restart({}, files, absent) == []
    said = {"khomp dump groups": "", "khomp dump config": ""}
    for section, lines in conf.read("khomp.conf", files).effective():
        kind = "khomp dump groups" if section.name == "groups" else "khomp dump config"
        said[kind] += "".join(f"<K> | {key}={value} |\n" for _file, _number, key, value in lines)
    assert reload.needs_restart({}, files, said.__getitem__) == []
    for kind, old, new in (("khomp dump groups", "b0c0-3", "B0C0-3"), ("khomp dump config", "echo-canceller=yes", "echo-canceller=no")):
        other = said | {kind: said[kind].replace(old, new)}
        assert reload.needs_restart({}, files, other.__getitem__) == ["khomp.conf"]
    assert reload.needs_restart(files, files, {}.__getitem__) == [], "nothing changed, nothing is asked"


# ----------------------------------------------------------------------------------------------------- rows: bad input


def test_channels_are_given_one_by_one_as_a_range_a_link_or_a_board():
    """TRK-17."""
    board()
    board(1, "EBS-E1-SPX", 45, links=2)
    trunk = line(channels=["b0c2-3", "B0C0", "b1l1"])
    assert trunk.channels == ["b0c0", "b0c2", "b0c3", *(f"b1c{number}" for number in range(30, 45))]
    assert TABLE["trunks"].fields["channels"].kind.text(trunk.channels) == "b0c0, b0c2-3, b1c30-44"
    change(trunk, channels=["b0"])
    assert trunk.channels == ["b0c0", "b0c1", "b0c2", "b0c3"]


@pytest.mark.parametrize("piece", ["b9c0", "b0c4", "b0c2-4", "b0l0", "xyz", "s2352c0", "", "b2c0", "b0c3-1"])
def test_channels_that_are_not_there_are_refused(piece):
    """TRK-17: an unknown board, channel or link, a board of handsets, and what is no channel at all."""
    board()
    board(2, "EBS-FXS", 24)
    said = refused("channels", lambda: line(channels=["b0c0", piece]))
    assert said


def test_no_channel_and_a_channel_of_another_trunk_are_refused():
    """TRK-17."""
    board()
    assert refused("channels", lambda: line(channels=[]))
    assert refused("channels", lambda: make("trunks", name="Vazio", protocol="khomp"))
    line("Loja", channels=["b0c0", "b0c1"])
    said = refused("channels", lambda: line("Outro", channels=["b0c1-2"]))
    assert "Loja" in said and "b0c1" in said and "b0c2" not in said


def test_fields_of_the_other_protocol_are_refused_when_they_are_given():
    """TRK-04: in the API and the site file; a value as empty as in a new trunk says nothing."""
    board()
    for name, value in (("host", "10.0.0.1"), ("port", 5070), ("username", "x"), ("authentication", "sends_registration"), ("codecs", ["gsm"]),
                        ("qualify", False)):
        assert "SIP" in refused(name, lambda n=name, v=value: line(**{n: v}))
    for name, value in (("channels", ["b0c0"]), ("allocation", "descending"), ("drop_collect_call", True), ("input_volume", 3)):
        assert "Khomp" in refused(name, lambda n=name, v=value: make_trunk("A", 5060, **{n: v}))
    trunk = line(**{"host": "", "port": 5060, "codecs": ["alaw", "ulaw"], "qualify": True})
    assert trunk.id


def test_a_trunk_that_changes_its_protocol_keeps_name_and_calls_and_forgets_the_rest():
    """TRK-04."""
    board()
    trunk = make_trunk("Operadora", 5070, authentication="sends_registration", username="padaria", password="segredo-1", caller_id="4830139018")
    change(trunk, protocol="khomp", channels=["b0c0"])
    assert (trunk.name, trunk.caller_id, trunk.host, trunk.port, trunk.username, trunk.password or "", trunk.addresses) == (
        "Operadora", "4830139018", "", 5060, "", "", [])
    assert "pjsip" not in config.pjsip_conf().partition("\n")[2] and f"[trunk-{trunk.id}]" not in config.pjsip_conf()
    change(trunk, protocol="sip", host="127.0.0.1")
    assert trunk.channels == [] and "trunk" not in config.khomp_conf().partition("[groups]")[2]


@pytest.mark.parametrize(("key", "value"), [
    ("fxo-busy-disconnection", "49"), ("fxo-busy-disconnection", "abc"), ("no-such-option", "1"), ("accountcode", "x"), ("setvar", "A=1"),
    ("echo-canceller", "no"), ("insecure", "port,invite"), ("load-error", "failure"), ("context", "default"),
])
def test_an_extra_line_that_khomp_does_not_take_is_refused_with_its_number(key, value):
    """TRK-13, TRK-16."""
    board()
    said = refused("extra", lambda: line(extra={"disconnect-delay": "100", key: value}))
    assert "2" in said


def test_a_khomp_line_in_a_sip_trunk_is_refused():
    assert "1" in refused("extra", lambda: make_trunk("A", 5060, extra={"disconnect-delay": "100"}))


def test_a_board_that_a_trunk_uses_neither_goes_nor_shrinks_nor_changes_its_number():
    """TRK-17."""
    one = board()
    trunk = line()
    assert trunk.name in refused("channels", lambda: change(one, channels=3))
    one = boards()[0]
    assert refused("index", lambda: change(one, index=5))
    with pytest.raises(Refused, match="EBS"):
        TABLE["khomp_boards"].delete(boards()[0])
    db.session.rollback()
    change(boards()[0], channels=8, model="EBS-FXO-8")


@pytest.mark.parametrize(("name", "value"), [("index", -1), ("index", 100), ("channels", 0), ("model", "a;b"), ("serial", "1 2"), ("links", 17)])
def test_bad_values_of_a_board_are_refused(name, value):
    """TRK-17."""
    assert refused(name, lambda: board(**{name: value}))


def test_more_channels_than_the_links_hold_and_a_number_twice_are_refused():
    board(1, "EBS-E1-SPX", 60, links=2)
    assert refused("channels", lambda: board(2, "EBS-E1-SPX", 61, links=2))
    assert refused("index", lambda: board(1))


# --------------------------------------------------------------------------------------------- declared beside found


FOUND = [FoundBoard(0, "EBS-FXO", "2352", 8, 0), FoundBoard(2, "EBS-E1-SPX", "374", 60, 2)]


def test_what_differs_between_declared_and_found_is_named():
    """TRK-17: a board that is not found, one nobody declared, another number of channels; an empty serial number differs from nothing."""
    board()
    board(1, "EBS-GSM", 4)
    told = driver.differences(map(driver.declared, boards()), FOUND)
    assert [(one.index, one.code, one.field, one.declared, one.found) for one in told] == [
        (0, "differs", "channels", 4, 8), (1, "not_found", "", None, None), (2, "not_declared", "", None, None)]


def test_boards_that_came_are_declared_and_what_a_person_declared_stays_until_it_is_taken():
    """TRK-17: reading twice changes nothing the second time; nothing is deleted."""
    board()
    assert driver.take(FOUND) == [2] and driver.take(FOUND) == []
    assert [(row.index, row.model, row.channels, row.links, row.serial, row.source) for row in boards()] == [
        (0, "EBS-FXO", 4, None, "", "declared"), (2, "EBS-E1-SPX", 60, 2, "374", "driver")]
    assert driver.take(FOUND, only=0) == [0] and boards()[0].channels == 8
    assert driver.take([FoundBoard(0, "EBS-FXO", "2352", 4, 0)]) == [0], "told by the driver before: it follows"
    assert driver.take([]) == [] and len(boards()) == 2
    db.session.commit()


def test_a_trunk_of_a_revision_before_khomp_comes_back():
    """TRK-16: the rows of an older release say nothing of channels; what a new trunk has is put there."""
    resource = TABLE["trunks"]
    trunk = make_trunk("Antiga", 5070)
    older = {name: value for name, value in next(row for row in resource.raw_rows() if row["id"] == trunk.id).items()
             if name not in ("allocation", "channels", "drop_collect_call", "echo_canceller", "input_volume", "output_volume")}
    folder = store.folder(settings.load(), 999_000)
    folder.mkdir()
    try:
        (folder / "rows.json").write_text(json.dumps({"trunks": [older]}))
        resource.delete(trunk)
        db.session.commit()
        snapshots.restore_row("trunks", older["id"], 999_000)
        db.session.commit()
    finally:
        rmtree(folder)
    found = resource.find("Antiga")
    assert (found.allocation, found.channels, found.echo_canceller, found.input_volume, found.port) == ("ascending", [], True, 0, 5070)
