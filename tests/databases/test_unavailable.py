"""What people and programs are told while rows cannot be read or written (SYS-23)."""

import contextlib
import threading

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from appliance import db as ground
from appliance.db import db
from appliance.resource import TABLE
from tests.visitor import text_of


@contextlib.contextmanager
def writer(engine):
    """Somebody who writes and does not come to an end."""
    with engine.connect() as connection:
        connection.begin()
        yield
        connection.rollback()


def at_once(*asked):
    """The answers of requests that wait side by side."""
    found = [None] * len(asked)

    def ask(place, request):
        found[place] = request()

    threads = [threading.Thread(target=ask, args=one) for one in enumerate(asked)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.database
def test_whoever_writes_too_long_gives_others_a_page_with_words_and_pages_can_be_read(app, carla):
    """SYS-23: a form, a part of a page, the API; what was typed can be sent again, and nothing was stored."""
    token = carla.csrf()
    form = {"csrf_token": token, "name": "Loja <b>1</b>", "description": "Térreo"}
    part = {"HX-Request": "true", "HX-Target": "rows"}
    db.session.rollback()
    with writer(db.engine):
        page, posted, api = at_once(
            lambda: carla.post("/cost_centres/new", data=form), lambda: carla.post("/cost_centres/_try", data=form, headers=part),
            lambda: carla.post("/api/v1/cost_centres", json={"name": "Loja"}, headers={"X-CSRFToken": token}))
        read = carla.get("/cost_centres")
        assert read.status_code == 200 and "Centros de custo" in read.text, "reading waits for nobody"
        assert carla.get("/healthz").status_code == 200
    assert [answer.status_code for answer in (page, posted, api)] == [503, 503, 503]
    assert "Tente de novo" in text_of(page) and 'value="Loja &lt;b&gt;1&lt;/b&gt;"' in page.text and 'action="/cost_centres/new"' in page.text
    assert posted.headers["HX-Retarget"] == "#unavailable" and "<html" not in posted.text and "Tente de novo" in posted.text
    assert "Tente de novo" in api.json["error"] and api.json["fields"] == {} and api.headers["Retry-After"]
    assert TABLE["cost_centres"].find("Loja <b>1</b>") is None
    db.session.rollback()
    assert carla.post("/cost_centres/new", data=form).status_code == 302, "sent again, it is stored"


def test_a_full_disk_is_told_and_nothing_is_stored(app, carla):
    """SYS-23: SQLite's own word for it; pages can still be read."""
    if db.engine.dialect.name != "sqlite":
        pytest.skip("how full PostgreSQL's disk is cannot be set from outside")
    form = {"csrf_token": carla.csrf(), "name": "Loja", "description": "x" * 200}
    db.session.rollback()

    with db.engine.begin() as connection:  # pages that earlier rows left free would have to be filled first
        free, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("freelist_count", "page_size"))
        connection.exec_driver_sql("CREATE TABLE filler (content BLOB)")
        connection.exec_driver_sql(f"INSERT INTO filler VALUES (zeroblob({free * size}))")

    def fill(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def empty(connection):
        connection.exec_driver_sql("PRAGMA max_page_count=1073741823")

    def grow():
        return [carla.post("/cost_centres/new", data=form | {"name": f"Loja {number}"}) for number in range(60)]

    event.listen(db.engine, "begin", fill)
    try:
        answers = grow()
    finally:
        event.remove(db.engine, "begin", fill)
        event.listen(db.engine, "begin", empty)
        with db.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE filler")
    full = [answer for answer in answers if answer.status_code == 503]
    assert full and {answer.status_code for answer in answers} <= {302, 503} and "cheio" in text_of(full[0])
    assert carla.get("/cost_centres").status_code == 200
    assert carla.post("/cost_centres/new", data=form | {"name": "Depois"}).status_code == 302, "there is room again"
    event.remove(db.engine, "begin", empty)


@pytest.mark.parametrize(("name", "state", "kind"), [
    ("SQLITE_BUSY", None, ground.LOCKED), ("SQLITE_BUSY_SNAPSHOT", None, ground.LOCKED), ("SQLITE_FULL", None, ground.FULL),
    ("SQLITE_IOERR_WRITE", None, ground.GONE), ("SQLITE_CANTOPEN", None, ground.GONE), ("SQLITE_ERROR", None, ground.OURS),
    ("SQLITE_CORRUPT_INDEX", None, ground.DAMAGED), ("SQLITE_NOTADB", None, ground.DAMAGED), (None, "XX001", ground.DAMAGED),
    (None, "55P03", ground.LOCKED), (None, "40P01", ground.LOCKED), (None, "53100", ground.FULL), (None, "57P01", ground.GONE), (None, None, ground.GONE),
])
def test_what_ails_the_database_is_known_by_its_own_code(name, state, kind):
    class Cause(Exception):
        sqlite_errorname, sqlstate = name, state

    assert ground.trouble(OperationalError("SELECT 1", {}, Cause())) == kind


@pytest.mark.database
def test_a_mistake_in_sql_is_ours_and_not_told_as_a_busy_database(app, carla, monkeypatch):
    """SQLite gives it the same class as a locked database."""
    from sqlalchemy import text

    endpoint = next(rule.endpoint for rule in app.url_map.iter_rules() if rule.rule == "/audit")
    monkeypatch.setitem(app.view_functions, endpoint, lambda: db.session.execute(text("SELECT no_such_column FROM company")))
    assert carla.get("/audit").status_code == 500


@pytest.mark.database
def test_an_error_does_not_tell_what_the_rows_held(app):
    """What stands in a log may be read by support."""
    from sqlalchemy import text

    with pytest.raises(Exception, match="nowhere") as told:
        db.session.execute(text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "Segredo-77"})
    db.session.rollback()
    assert "Segredo-77" not in str(told.value)


@pytest.mark.database
def test_what_is_acknowledged_is_on_the_disk(app):
    """SYS-23: a power cut takes nothing back that somebody was told is stored; whole machines prove it by `image test cuts`."""
    said = {"sqlite": ("PRAGMA synchronous", {2, 3}), "postgresql": ("SHOW synchronous_commit", {"on"})}
    question, good = said[db.engine.dialect.name]
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql(question).scalar() in good
