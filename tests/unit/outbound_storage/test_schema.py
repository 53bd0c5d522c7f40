"""Every start ends with the newest schema, or with a clear error and the database as it was."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from relay.adapters.outbound.storage.schema import (
    REVISION,
    SchemaMismatch,
    bring_up,
    migrations_folder,
)
from relay.adapters.outbound.storage.tables import Table

FURTHER = '''
"""A further migration for the tests."""
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("extra", sa.Column("id", sa.Integer(), primary_key=True))
    with op.batch_alter_table("api_key") as batch:
        batch.add_column(sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE api_key SET note = name")
    op.create_index("ix_extra_id", "extra", ["id"])
'''

KILLER = """
import os, shutil, signal, sys
from pathlib import Path
import alembic.command
from sqlalchemy import event
from sqlalchemy.engine import Engine
from relay.adapters.outbound.storage.schema import bring_up

folder, migrations, revision = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
left = 0

@event.listens_for(Engine, "before_cursor_execute")
def _count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

for statement in range(1, 100):
    target = folder / f"killed-{statement}.db"
    if (folder / "from.db").exists():
        shutil.copy(folder / "from.db", target)
    child = os.fork()
    if not child:
        left = statement
        bring_up(target, migrations=migrations, revision=revision)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        target.unlink()
        break
    assert status == -signal.SIGKILL, status
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a later version."""
    folder = tmp_path / "later 100%"
    shutil.copytree(migrations_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0002_second.py").write_text(FURTHER)
    return folder


def schema_of(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return sorted(found.fetchall())


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return str(revision)


def test_the_migrations_lead_to_exactly_the_tables_the_code_uses(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Table.metadata) == []


def test_the_newest_migration_is_the_one_the_start_compares_with() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_a_second_start_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    bring_up(path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_new_database_is_for_its_owner_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_start_that_has_nothing_to_migrate_does_not_load_the_migrator(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from relay.adapters.outbound.storage.schema import bring_up;"
        f"bring_up(Path({str(path)!r})); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_upgrade_copies_the_database_first_and_keeps_its_rows(path: Path, later: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO api_key VALUES ('a', 'web', x'00', '[]', 1, 0, 0, 0)")
        connection.execute("INSERT INTO api_key_tag VALUES ('a', 0, 'team', 'web')")
    before = schema_of(path)
    bring_up(path, migrations=later, revision="0003")
    assert revision_of(path) == "0003"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name, note FROM api_key").fetchall() == [("web", "web")]
        assert connection.execute("SELECT count(*) FROM api_key_tag").fetchone() == (1,)
    backup = path.with_name("relay.db.before-0002")
    assert schema_of(backup) == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT name FROM api_key").fetchall() == [("web",)]


def test_a_key_of_the_first_version_has_no_admin_scope(tmp_path: Path) -> None:
    path = tmp_path / "relay.db"
    bring_up(path, revision="0001")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO api_key VALUES ('a', 'web', x'00', '[]', 1, 0, 0)")
    bring_up(path)
    assert revision_of(path) == REVISION
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name, is_admin FROM api_key").fetchall() == [("web", 0)]


def test_a_database_of_a_newer_version_is_left_alone_with_a_clear_error(path: Path, later: Path) -> None:
    bring_up(path, migrations=later, revision="0003")
    before = schema_of(path)
    with pytest.raises(SchemaMismatch, match=r"revision 0003, which this version does not know.*newer"):
        bring_up(path)
    assert schema_of(path) == before
    assert revision_of(path) == "0003"


def test_a_file_that_is_no_database_is_left_alone_with_a_clear_error(tmp_path: Path) -> None:
    stranger = tmp_path / "relay.db"
    stranger.write_text("my shopping list, which is quite long" * 100)
    with pytest.raises(SchemaMismatch, match="not a database"):
        bring_up(stranger)
    assert stranger.read_text().startswith("my shopping list")


def test_a_place_where_no_database_can_be_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"relay\.db cannot be used: .*No such file"):
        bring_up(tmp_path / "absent" / "relay.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(SchemaMismatch, match="cannot be used"):
        bring_up(tmp_path / "folder.db")


def test_without_room_for_a_copy_nothing_is_migrated(path: Path, later: Path) -> None:
    path.with_name("relay.db.before-0002").mkdir()
    with pytest.raises(SchemaMismatch, match="cannot be used"):
        bring_up(path, migrations=later, revision="0003")
    assert revision_of(path) == REVISION


def test_a_locked_database_is_a_clear_error(path: Path, later: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SchemaMismatch, match="locked"):
            bring_up(path, migrations=later, revision="0003")
        other.execute("ROLLBACK")
    assert revision_of(path) == REVISION


def killed_at_each_statement(folder: Path, migrations: Path, revision: str) -> list[Path]:
    """Databases that were being brought up by processes killed before their first, second, … statement.

    A copy of `from.db` in the folder, when it is there.
    """
    subprocess.run(
        [sys.executable, "-c", KILLER, str(folder), str(migrations), revision],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    return list(folder.glob("killed-*.db"))


def test_a_first_migration_killed_at_any_statement_leaves_nothing_and_the_next_start_succeeds(
    tmp_path: Path, path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    killed = killed_at_each_statement(tmp_path / "killed", migrations_folder(), REVISION)
    assert len(killed) > 15
    for each in killed:
        assert schema_of(each) == []
        bring_up(each)
        assert schema_of(each) == schema_of(path)
        assert revision_of(each) == REVISION


def test_an_upgrade_killed_at_any_statement_leaves_the_old_schema_and_the_next_start_succeeds(
    tmp_path: Path, path: Path, later: Path
) -> None:
    old = schema_of(path)
    fresh = tmp_path / "fresh.db"
    bring_up(fresh, migrations=later, revision="0003")
    (tmp_path / "killed").mkdir()
    shutil.copy(path, tmp_path / "killed" / "from.db")
    killed = killed_at_each_statement(tmp_path / "killed", later, "0003")
    assert len(killed) > 8
    for each in killed:
        assert schema_of(each) == old
        bring_up(each, migrations=later, revision="0003")
        assert schema_of(each) == schema_of(fresh)
        assert revision_of(each) == "0003"
