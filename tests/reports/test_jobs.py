"""Reports as jobs: the real worker makes them one after another, is killed and comes back; who may have them (REP-37)."""

import contextlib
import os
import shutil
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
import rq.suspension
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import func, select

from appliance import db as ground
from appliance import lanes
from appliance.db import db
from appliance.errors import Refused
from appliance.reports import asked as asking
from appliance.reports import model
from appliance.reports.model import CANCELLED, FAILED, READY, RUNNING, WAITING, XLSX, Report
from appliance.users.model import by_login
from jobs import reports as jobs
from tests.bench.many import many_calls
from tests.build import change, make_call, make_cost_centre, make_user
from tests.reports.conftest import DAY
from tests.visitor import person, text_of

QUERY = "start=2026-11-01&end=2026-11-30"


@pytest.fixture(autouse=True)
def no_files_left(app):
    """Every test begins with an empty folder and a quiet lane."""
    rq.suspension.resume(lanes.connection())
    until(lambda: not lanes.connection().llen("rq:queue:reports"))
    for path in model.folder().iterdir():
        path.unlink()
    yield
    rq.suspension.resume(lanes.connection())


@pytest.fixture
def resting():
    """The worker takes no job while the test prepares. It may wait for one just now: it is given something to do first."""
    rq.suspension.suspend(lanes.connection())
    Queue("reports", connection=lanes.connection(), serializer=JSONSerializer).enqueue("time.sleep", 0)
    until(lambda: lanes.connection().hget(f"rq:worker:{worker_name()}", "state") == b"suspended")
    return lambda: rq.suspension.resume(lanes.connection())


def until(done, seconds=90):
    end = time.monotonic() + seconds
    while True:
        db.session.rollback()  # an open transaction of ours would keep the worker from writing
        found = done()
        db.session.rollback()
        if found:
            return found
        assert time.monotonic() < end, [(r.id, r.state, r.reason, r.progress) for r in db.session.scalars(select(Report))]
        time.sleep(0.1)


def ask(browser, kind="xlsx", query=QUERY):
    """Ordered on the page; its row."""
    before = db.session.scalar(select(func.max(Report.id))) or 0
    answer = browser.send(f"/reports?{query}", {"format": kind})
    assert answer.status_code == 302 and answer.location == "/reports", text_of(browser.get(answer.location))
    return db.session.scalars(select(Report).where(Report.id > before)).one().id


def state_of(report_id):
    return db.session.scalar(select(Report.state).where(Report.id == report_id))


def finished(*ids):
    return until(lambda: all(state_of(row_id) in model.OVER for row_id in ids))


def row(report_id):
    return db.session.get(Report, report_id)


def test_a_report_is_ordered_made_by_the_worker_announced_and_downloaded(app, carla):
    """REP-37: the page goes on working; a bar tells when it is ready."""
    make_call(DAY)
    ids = [ask(carla, kind) for kind in ("pdf", "pdf_summary", "xlsx")]
    finished(*ids)
    assert [row(one).state for one in ids] == [READY] * 3, [row(one).reason for one in ids]
    page = text_of(carla.get("/extensions"))
    assert "3 relatórios estão prontos." in page
    assert "3 relatórios" not in text_of(carla.get("/reports"))
    assert carla.send("/reports/_seen").status_code == 204
    assert "relatórios estão prontos" not in text_of(carla.get("/extensions"))
    starts = [carla.get(f"/reports/{one}/file").data[:4] for one in ids]
    assert starts == [b"%PDF", b"%PDF", b"PK\x03\x04"]
    answer = carla.get(f"/reports/{ids[0]}/file")
    assert answer.headers["Content-Disposition"] == f"attachment; filename=ligacoes-2026-11-01-{ids[0]}.pdf"
    assert answer.mimetype == "application/pdf" and "no-store" in answer.headers["Cache-Control"]
    listed = text_of(carla.get("/reports/_rows"))
    assert "PDF resumo" in listed and "Início: 01/11/2026 00:00" in listed and "every 5s" not in carla.get("/reports/_rows").text
    assert {path.stat().st_mode & 0o077 for path in [model.folder(), *model.folder().iterdir()]} <= {0, 0o044}


def test_the_list_asks_again_only_while_something_is_being_made(app, carla, resting):
    """REP-37: every 5 s on this page only."""
    one = ask(carla)
    assert "every 5s" in carla.get("/reports").text and "aguardando" in text_of(carla.get("/reports"))
    assert "every 5s" not in carla.get("/calls").text
    resting()
    finished(one)
    assert "every 5s" not in carla.get("/reports").text


@pytest.mark.database
def test_one_person_may_have_so_many_waiting_and_others_still_get_theirs(app, carla, client, resting):
    """REP-37: a clear message; a cancelled one makes room."""
    ids = [ask(carla) for _n in range(model.MOST_WAITING)]
    refused = carla.send(f"/reports?{QUERY}", {"format": "xlsx"})
    assert refused.location.startswith("/calls?") and "Espere um deles ou cancele" in text_of(carla.get(refused.location))
    ask(person(client, "ana.souza", modules=["reports"]))
    carla.send(f"/reports/{ids[0]}/cancel")
    ask(carla)
    assert db.session.scalar(select(func.count()).select_from(Report)) == model.MOST_WAITING + 2


def test_fifty_asked_at_once_are_served_one_after_another(app, client, resting):
    """REP-37: never two at a time, none lost."""
    make_call(DAY)
    for number in range(10):
        browser = person(client, f"pessoa{number}", modules=["reports"])
        for _n in range(5):
            ask(browser)
    resting()
    together = 0

    def done():
        nonlocal together
        states = list(db.session.scalars(select(Report.state)))
        together = max(together, states.count(RUNNING))
        return len(states) == 50 and set(states) == {READY}

    until(done, 240)
    assert together <= 1
    assert len(list(model.folder().iterdir())) == 50
    ends = list(db.session.scalars(select(Report.ended_at).order_by(Report.id)))
    assert ends == sorted(ends)


def test_a_waiting_report_is_cancelled_and_a_ready_one_deleted_with_its_file(app, carla, resting):
    """REP-37."""
    waiting = ask(carla)
    carla.send(f"/reports/{waiting}/cancel")
    assert state_of(waiting) == CANCELLED
    ready = ask(carla)
    resting()
    finished(ready)
    assert state_of(waiting) == CANCELLED and row(ready).state == READY
    path = row(ready).path
    assert path.exists()
    carla.send(f"/reports/{ready}/delete")
    assert not path.exists() and row(ready) is None and carla.get(f"/reports/{ready}/file").status_code == 404


def test_a_running_report_that_is_cancelled_stops_and_leaves_no_file(app, carla):
    """REP-37."""
    many_calls(60_000, DAY - timedelta(days=5), days=10)
    one = ask(carla)
    until(lambda: state_of(one) == RUNNING and row(one).progress > 0)
    carla.send(f"/reports/{one}/cancel")
    until(lambda: not list(model.folder().iterdir()))
    assert state_of(one) == CANCELLED
    make_call(DAY)
    finished(ask(carla, "pdf_summary"))


def test_a_killed_worker_loses_no_report(app, carla):
    """REP-37: kill -9 of the worker and its child in the middle; the report is taken up again by itself and made once."""
    many_calls(60_000, DAY - timedelta(days=5), days=10)
    one = ask(carla)
    until(lambda: state_of(one) == RUNNING and row(one).progress > 0)
    killed = reports_worker()
    for process in children(os.getsid(killed)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    stalled = row(one)
    stalled.beat_at = ground.now() - timedelta(seconds=model.LEASE_SECONDS + 1)  # as if a minute had passed
    db.session.commit()
    finished(one)
    report = row(one)
    assert (report.state, report.row_count, report.run_count) == (READY, 60_000, 2), report.reason
    assert reports_worker() != killed
    assert report.path.read_bytes()[:2] == b"PK"


def reports_worker():
    """Process id of the living worker of the lane of reports; 0 when there is none."""
    return int(lanes.connection().hget(f"rq:worker:{worker_name()}", "pid") or 0)


def worker_name():
    for key in lanes.connection().smembers("rq:workers"):
        facts = lanes.connection().hgetall(key)
        if facts.get(b"queues") == b"reports" and alive(int(facts[b"pid"])):
            return key.decode().removeprefix("rq:worker:")
    return ""


def alive(pid):
    return Path(f"/proc/{pid}").exists()


def children(session):
    """Processes of this session."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int(path.joinpath("stat").read_text().rpartition(")")[2].split()[3]) == session:
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_report_killed_again_and_again_ends_with_a_reason(app, carla, resting):
    """REP-37: it does not go round for ever."""
    one = ask(carla)
    for _time in range(model.MOST_RUNS):
        assert model.take(one)
        row(one).beat_at = ground.now() - timedelta(seconds=model.LEASE_SECONDS + 1)
        db.session.commit()
        jobs.tidy()
    assert row(one).state == FAILED and "interrompido várias vezes" in row(one).reason
    assert "interrompido" in text_of(carla.get("/reports")) and "não pôde ser feito" in text_of(carla.get("/calls"))


@pytest.mark.long
def test_a_report_lost_on_the_way_to_its_lane_is_handed_over_again(app, carla, resting):
    """REP-37: Redis may forget what the database has not."""
    one = ask(carla)
    lanes.connection().delete("rq:queue:reports")
    resting()
    time.sleep(2)
    assert state_of(one) == WAITING, "nobody knows of it"
    row(one).beat_at = ground.now() - timedelta(seconds=model.WAITS_SECONDS + 1)
    db.session.commit()
    finished(one)
    assert row(one).state == READY


def test_a_job_delivered_twice_makes_one_file(app, carla):
    """REP-37."""
    make_call(DAY)
    one = ask(carla)
    finished(one)
    name, ended = row(one).file, row(one).ended_at
    jobs.run(one)
    assert (row(one).file, row(one).ended_at, row(one).run_count) == (name, ended, 1)
    assert [path.name for path in model.folder().iterdir()] == [name]


def test_an_older_run_never_writes_over_the_newer_one(app, carla, resting):
    """REP-37: a worker believed dead wakes up."""
    one = ask(carla)
    first = model.take(one)
    assert not model.take(one), "while it gives signs of life nobody takes it"
    row(one).beat_at = ground.now() - timedelta(seconds=model.LEASE_SECONDS + 1)
    db.session.commit()
    second = model.take(one)
    assert (first, second) == (1, 2)
    assert not model.beat(one, first, state=READY) and model.beat(one, second)
    db.session.commit()


def test_what_goes_wrong_stands_on_the_row(app, carla, client, resting):
    """REP-37: a reason a person can use; our own mistakes with a code that is in the log too."""
    ana = person(client, "ana.souza", modules=["reports"])
    one = ask(ana)
    change(by_login("ana.souza"), modules=["extensions"])
    jobs.run(one)
    assert row(one).state == FAILED and "não pode mais abrir relatórios" in row(one).reason
    two = ask(carla)
    folder = model.folder()
    folder.rename(folder.with_name("reports.away"))
    folder.write_text("in the way")
    try:
        jobs.run(two)
    finally:
        folder.unlink()
        folder.with_name("reports.away").rename(folder)
    assert row(two).state == FAILED and "Algo deu errado do nosso lado" in row(two).reason
    assert row(two).reason[-6:].isalnum() and row(two).reason in text_of(carla.get("/reports"))


def test_files_go_after_their_days_and_strays_with_them(app, carla):
    """REP-37: kept seven days."""
    make_call(DAY)
    one = ask(carla)
    finished(one)
    report = row(one)
    assert timedelta(days=6, hours=23) < report.expires_at - ground.now() <= timedelta(days=7)
    path, stray = report.path, model.folder() / "99-abc.pdf"
    stray.write_text("left by a killed worker")
    os.utime(stray, (time.time() - 7200,) * 2)
    report.expires_at = ground.now() - timedelta(seconds=1)
    db.session.commit()
    assert carla.get(f"/reports/{one}/file").status_code == 404 and "Excel" not in carla.get("/reports").text
    until(lambda: not path.exists() and not stray.exists(), 60)
    assert row(one) is None


@pytest.mark.parametrize("query,form", [
    (f"{QUERY}&from_number=%25", "xlsx"), (f"{QUERY}&from_number='%22", "pdf"), ("start=2026-11-20&end=2026-11-01", "pdf_summary"),
    (f"{QUERY}&from_cost_centre=9999", "xlsx"), (QUERY, "exe"), (QUERY, ""), (QUERY, "../../etc/passwd"), (f"{QUERY}&trunk=-1", "xlsx"),
])
def test_what_cannot_be_asked_orders_nothing(app, carla, query, form):
    """REP-37."""
    answer = carla.send(f"/reports?{query}", {"format": form})
    assert answer.status_code == 302 and answer.location.startswith("/calls?")
    assert db.session.scalar(select(func.count()).select_from(Report)) == 0


# ----------------------------------------------------------------------------------------------------------- permissions


def test_nobody_else_gets_a_report(app, carla, client):
    """REP-37, USR-18: ways round, all of them refused."""
    make_cost_centre("Loja")
    make_cost_centre("Escritório")
    make_call(DAY)
    ana = person(client, "ana.souza", modules=["reports"])
    bruno = person(client, "bruno", modules=["reports"])
    davi = person(client, "davi.souza", modules=["extensions"])
    one = ask(ana)
    finished(one)
    name = row(one).file
    assert ana.get(f"/reports/{one}/file").status_code == carla.get(f"/reports/{one}/file").status_code == 200
    for browser in (bruno, davi):
        for path in ("file", "cancel", "delete"):
            answer = browser.get(f"/reports/{one}/file") if path == "file" else browser.send(f"/reports/{one}/{path}")
            assert answer.status_code == 403, path
    assert name.split("-")[0] not in text_of(bruno.get("/reports/_rows")) and f"/reports/{one}/" not in bruno.get("/reports").text
    assert "pronto." not in text_of(bruno.get("/calls"))
    for path in (f"/reports/{name}", f"/reports/{one}/../{one}/file", f"/reports/../reports/{name}", f"/static/../reports/{name}", f"/reports/%2e%2e/{name}",
                 f"/reports/{one}/{name}", f"/reports/-{one}/file", f"/reports/{one}x/file", "/reports/99999999999/file", "/reports/0/file"):
        assert bruno.get(path).status_code in (403, 404), path
    nobody = client.application.test_client()
    assert nobody.get(f"/reports/{one}/file").status_code == 302
    assert nobody.get(f"/reports/{one}/file", headers={"Authorization": "Bearer abc"}).status_code == 302
    assert ana.post(f"/reports/{one}/delete").status_code == 400, "without its token"
    assert ana.get(f"/reports/{one}/delete").status_code == 405
    user = by_login("ana.souza")
    change(user, cost_centres=["Loja"])
    assert ana.get(f"/reports/{one}/file").status_code == 403, "made when more could be seen"
    limited = ask(ana)
    finished(limited)
    assert ana.get(f"/reports/{limited}/file").status_code == 200
    change(user, cost_centres=["Escritório"])
    assert ana.get(f"/reports/{limited}/file").status_code == 403
    change(user, cost_centres=["Loja", "Escritório"])
    assert ana.get(f"/reports/{limited}/file").status_code == 200
    change(user, modules=["extensions"])
    assert ana.get(f"/reports/{limited}/file").status_code == 403
    change(user, active=False)
    assert ana.get(f"/reports/{limited}/file").status_code == 302
    assert carla.get(f"/reports/{limited}/file").status_code == 200


def test_reports_of_a_person_who_is_gone_are_gone(app, carla, client):
    """REP-37."""
    ana = person(client, "ana.souza", modules=["reports"])
    one = ask(ana)
    finished(one)
    user = by_login("ana.souza")
    carla.send(f"/users/{user.id}/delete")
    assert row(one) is None


def test_a_report_asked_of_this_month_stays_this_month(app):
    """REP-37: what is stored is the period, not the word."""
    user = make_user("ana.souza", modules=["reports"])
    asked = asking.read({}, user)
    stored = asking.stored(asked, {})
    again = asking.read(stored, user)
    assert (again.start, again.end) == (asked.start, asked.end)
    with pytest.raises(Refused):
        model.ask(stored, None, "exe", 0, user.id)
    assert model.ask(stored, None, XLSX, 0, user.id).state == WAITING
    db.session.rollback()


def test_the_disk_is_clean_after_all_this():
    """No stray files, and no half ones."""
    shutil.rmtree(model.folder())
    assert list(model.folder().iterdir()) == []
