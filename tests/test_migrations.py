"""Tables reach what the models say, up, down and up again, and no row is lost on the way; on SQLite and, marked, on PostgreSQL."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from appliance.settings import CHECKOUT

PROGRAM = """
    import sys
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from appliance.schema import downgrade, steps, upgrade
    from sqlalchemy import inspect, select, text
    from appliance import app, sitefile
    from appliance.db import Base, db
    from appliance.resource import TABLE
    from pathlib import Path
    from appliance.users import token
    from appliance import lanes, numbering, revisions

    def forget_new():
        # what the oldest release has no column or table for
        for row in TABLE["extension_classes"].rows():
            TABLE["extension_classes"].update(row, {"recording": "none", "voicemail": False, "follow_me": False, "lock": False})
        for row in TABLE["inbound_routes"].rows():
            TABLE["inbound_routes"].update(row, {"blacklists": [], "rules": [{"default": True, "destination": {"extension": "1000"}}]})
        for row in TABLE["trunks"].rows():
            if row.protocol == "khomp":
                TABLE["trunks"].update(row, {"protocol": "sip", "host": "127.0.0.1", "port": 5081})
        db.session.flush()
        for row in TABLE["business_hours"].rows():
            TABLE["business_hours"].update(row, {"closed_destination": None})
        for word in ("calendar_events", "time_conditions", "work_shifts", "ivrs", "queues", "business_hours", "moh_classes", "voicemail_boxes",
                     "conference_rooms", "scheduled_conferences", "blacklists", "audio_prompts", "khomp_boards"):
            for row in list(TABLE[word].rows()):
                TABLE[word].delete(row)
        db.session.commit()

    app = app.bare_app()
    with app.app_context():
        upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, Base.metadata)
            assert not differences, differences
            script = steps()
            assert len(script.get_heads()) == 1, "two heads"
            steps = len(list(script.walk_revisions()))
        for resource in TABLE.values():
            if resource.single:
                resource.create({})
        sitefile.load(Path(sys.argv[1]).read_text(encoding="utf-8"), skip_unavailable=True)
        db.session.commit()
        forget_new()
        before = sitefile.dump()
        db.session.remove()
        if steps > 1:  # down to the oldest release and up again: every row is still there
            downgrade(script.get_base())
            upgrade()
            for word in ("recording_policy", "feature_codes", "email", "backup_policy", "certificate", "modules", "address_policy", "update_policy", "retention_policy"):
                TABLE[word].create({})
            db.session.commit()
            assert sitefile.dump() == before
            db.session.remove()
        upgrade()
        assert sitefile.dump() == before, "up again is nothing"
        row = TABLE["extensions"].find("1000")
        sealed = db.session.execute(text("SELECT password FROM extensions WHERE id = :id"), {"id": row.id}).scalar_one()
        assert row.password == "Troque-1000-isto" and "Troque" not in sealed
        db.session.remove()
        downgrade("base")
        assert set(inspect(db.engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
        upgrade()
        for resource in TABLE.values():
            if resource.single:
                resource.create({})
        assert not list(TABLE["extensions"].rows())
        sitefile.load(Path(sys.argv[1]).read_text(encoding="utf-8"), skip_unavailable=True)
        forget_new()
        assert sitefile.dump() == before, "the same rows from the same file"
        print("same", len(before))
"""


def run(home: Path, url: str, *words: str) -> str:
    """Run Python with these words on a home of its own; what it printed."""
    home.mkdir(mode=0o700)
    environment = {**os.environ, "BENTEVI_HOME": str(home), "BENTEVI_DATABASE_URL": url, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run([sys.executable, *words], cwd=CHECKOUT, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.database
def test_tables_go_up_down_and_up_and_are_the_models(empty_database: str, tmp_path: Path):
    assert "same" in run(tmp_path / "home", empty_database, "-c", textwrap.dedent(PROGRAM), str(CHECKOUT / "docs" / "padaria.yaml"))


@pytest.mark.database
def test_rows_of_every_table_live_through_each_step_down_and_up(empty_database: str, tmp_path: Path):
    """SYS-23: what an older version can hold is kept, nothing goes with a table that is made anew, no id is given twice."""
    assert "same" in run(tmp_path / "home", empty_database, "-m", "tests.migrated", "steps")


@pytest.mark.parametrize("made_anew", ["trunks", "extensions", "record_lines"])
def test_a_table_that_sqlite_makes_anew_keeps_what_points_at_it_and_gives_no_id_again(made_anew: str, tmp_path: Path):
    """SYS-23: the batch mode of a migration to come, on rows of today."""
    assert "same" in run(tmp_path / "home", "", "-m", "tests.migrated", "anew", made_anew)
