"""SYS-16, SYS-19: the appliance back at its first visit, and back from there; a power cut in between loses nothing."""

import pathlib

import pytest

from os_image import layout
from os_image.firstboot import reset


class PowerCut(Exception):
    """The machine stopped here."""


@pytest.fixture
def data(tmp_path):
    for name, files in (("bentevi", ["bentevi.sqlite", "secrets/key", "recordings/1.mp3"]), ("redis", ["appendonly.aof"])):
        for file in files:
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(f"old {file}")
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine/hostname").write_text("padaria\n")
    return tmp_path


def files(folder):
    return sorted(str(path.relative_to(folder)) for name in reset.FOLDERS for path in (folder / name).rglob("*") if path.is_file())


def test_everything_of_the_exchange_is_put_aside_and_the_machine_stays_itself(data):
    """SYS-19."""
    before = files(data)
    reset.put_aside(data)
    assert files(data) == [] and files(data / reset.KEPT) == before and (data / "machine/hostname").read_text() == "padaria\n"
    assert all((data / name).is_dir() for name in reset.FOLDERS), "a mount point is gone"


def test_the_folders_are_those_of_the_data_partition():
    """SYS-16: under another name the first half would be put aside, and the second not be found."""
    assert set(reset.FOLDERS) < set(layout.DATA_FOLDERS)


def test_it_comes_back_and_what_was_there_meanwhile_is_kept_in_its_place(data):
    """SYS-19."""
    before = files(data)
    reset.put_aside(data)
    (data / "bentevi/bentevi.sqlite").write_text("young")
    reset.take_back(data)
    assert files(data) == before and (data / "bentevi/bentevi.sqlite").read_text() == "old bentevi.sqlite"
    assert (data / reset.KEPT / "bentevi/bentevi.sqlite").read_text() == "young"
    reset.take_back(data)
    assert (data / "bentevi/bentevi.sqlite").read_text() == "young"


def test_nothing_put_aside_is_said_and_changes_nothing(data):
    """SYS-19."""
    before = files(data)
    with pytest.raises(LookupError):
        reset.take_back(data)
    assert files(data) == before


def test_a_dry_run_says_what_would_go_where_and_changes_nothing(data, monkeypatch, capsys):
    """SYS-19: nobody is asked, nothing is stopped."""
    monkeypatch.setattr(reset, "DATA", data)
    monkeypatch.setattr(reset.subprocess, "run", lambda *_words, **_more: pytest.fail("something was run"))
    before = files(data)
    assert reset.main(["--dry-run"]) == 0 and "before-reset/bentevi" in capsys.readouterr().out
    assert reset.main(["--dry-run", "back"]) == 2 and "nada foi guardado" in capsys.readouterr().out
    reset.put_aside(data)
    assert reset.main(["--dry-run", "back"]) == 0 and "voltariam" in capsys.readouterr().out
    assert reset.main(["--dry-run"]) == 0 and "apagados" in capsys.readouterr().out
    assert files(data) == [] and files(data / reset.KEPT) == before
    (data / reset.BEGUN).touch()
    assert reset.main(["--dry-run"]) == 0 and "apagados" not in capsys.readouterr().out, "cut off in the middle: it goes on, and nothing is removed"
    assert reset.main(["--dry-run", "back"]) == 2 and "interrompido" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["put_aside", "take_back"])
def test_after_a_power_cut_at_any_step_the_same_command_goes_on(data, monkeypatch, what):
    """SYS-19: nothing is lost and nothing is in both places, wherever it stopped."""
    before = files(data)
    if what == "take_back":
        reset.put_aside(data)
        (data / "bentevi/young").write_text("young")
    steps = {"rename": pathlib.Path.rename, "touch": pathlib.Path.touch, "mkdir": pathlib.Path.mkdir, "unlink": pathlib.Path.unlink}
    for stop_at in range(40):
        count = 0

        def counted(real, cut):
            def step(path, *words, **more):
                nonlocal count
                count += 1
                if count > cut:
                    raise PowerCut
                return real(path, *words, **more)
            return step

        with monkeypatch.context() as patched:
            for name, real in steps.items():
                patched.setattr(pathlib.Path, name, counted(real, stop_at))
            try:
                getattr(reset, what)(data)
            except PowerCut:
                if (data / reset.OVER).exists():
                    break
                everywhere = files(data) + files(data / reset.KEPT) + (files(data / reset.SWAP) if (data / reset.SWAP).exists() else [])
                assert sorted(name for name in everywhere if name != ".moved") == sorted([*before, *(["bentevi/young"] if what == "take_back" else [])])
                continue
            break
    else:
        pytest.fail("it never came to an end")
    if what == "put_aside":
        assert files(data) == [] and files(data / reset.KEPT) == before
    else:
        assert files(data) == before and files(data / reset.KEPT) == ["bentevi/young"]
