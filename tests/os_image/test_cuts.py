"""What the proof of power cuts calls lost or half done; the cuts themselves are `./bentevi image test cuts`."""

import json
from pathlib import Path

import pytest

from os_image.checks import cuts, frozen, update

WHOLE = {"extensions": {"1000", "2001"}, "in_force": {"1000", "2001"}, "calls": {"p1"}, "wrong": []}


def moment(pending: str = "") -> cuts.Moment:
    """Something was pending when the disk was set aside."""
    return cuts.Moment("apply-1", Path("disk"), frozenset({"1000", "2001"}), frozenset({"p1"}), pending)


def test_a_whole_start_misses_nothing_whether_or_not_what_was_pending_is_there() -> None:
    assert cuts.lost(moment("2002"), frozen.Found(**WHOLE)) == []
    done = WHOLE | {"extensions": {"1000", "2001", "2002"}, "in_force": {"1000", "2001", "2002"}}
    assert cuts.lost(moment("2002"), frozen.Found(**done)) == []
    only_row = WHOLE | {"extensions": {"1000", "2001", "2002"}}  # stored, and not yet applied
    assert cuts.lost(moment("2002"), frozen.Found(**only_row)) == []


@pytest.mark.parametrize(("change", "said"), [
    ({"extensions": {"1000"}, "in_force": {"1000"}}, "extension 2001 is lost"),
    ({"in_force": {"1000"}}, "extension 2001 is not in force"),
    ({"calls": set()}, "call p1 is lost"),
    ({"in_force": {"1000", "2001", "2002"}}, "half applied: 2002 is in force and is no row"),
    ({"extensions": {"1000", "2001", "2009"}}, "a row of nobody: 2009"),
    ({"wrong": ["database: malformed"]}, "database: malformed"),
])
def test_what_is_lost_or_half_done_is_said(change: dict[str, object], said: str) -> None:
    assert said in cuts.lost(moment("2002"), frozen.Found(**(WHOLE | change)))  # type: ignore[arg-type]


def test_the_last_moment_of_each_kind_is_started_whole() -> None:
    every = [cuts.Moment(name, Path(name), frozenset(), frozenset(), "") for name in ("apply-0", "apply-1", "backup-0", "call-0", "call-1", "call-2")]
    assert [moment.name for moment in cuts.last_of_each(every)] == ["apply-1", "backup-0", "call-2"]


def test_what_a_start_from_a_frozen_disk_wrote_is_understood(tmp_path: Path) -> None:
    written = {"status.json": {"processes": [{"name": "web", "answers": True}, {"name": "live", "answers": False}]},
               "doctor.json": {"findings": [{"level": "error", "text": "no room"}, {"level": "warning", "text": "no clock"}]},
               "calls.json": {"calls": [{"protocol": "p1"}]}}
    for name, data in written.items():
        (tmp_path / name).write_text(json.dumps(data))
    (tmp_path / "extensions.yaml").write_text('bentevi: 1\nextensions:\n- number: "1000"\n  name: Ana\n')
    (tmp_path / "endpoints").write_text(" Endpoint:  <Endpoint/CID....>\n Endpoint:  1000/1000     Unavailable   0 of inf\n Endpoint:  bentevi  Unavailable\n")
    (tmp_path / "half").write_text("revisions/000003.new\n")
    (tmp_path / "integrity").write_text("ok\n")
    found = frozen.understood(tmp_path)
    assert (found.extensions, found.in_force, found.calls) == ({"1000"}, {"1000"}, {"p1"})
    assert [one.split(":")[0] for one in found.wrong] == ["half done", "live does not answer", "doctor"]


def test_of_an_update_each_step_is_cut_once_and_more_of_them_evenly() -> None:
    steps = ["copying", "writing", "writing", "writing", "away", "proving", "proving", "done"]
    kept = [(step, Path(str(number))) for number, step in enumerate(steps)]
    assert [str(disk) for _step, disk in update.chosen(kept, 1)] == ["0", "1", "4", "5", "7"]
    assert [str(disk) for _step, disk in update.chosen(kept, 7)] == ["0", "1", "2", "3", "4", "5", "7"]
    assert update.chosen(kept, 10) == kept
