"""Brings a database file's schema up to date when a process starts.

All outstanding migrations run in one transaction, so that a process killed on the way leaves the schema it
found. A database that has rows is copied beside itself first.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from relay.adapters.outbound.storage.engine import use_transactions
from relay.adapters.outbound.storage.lock import beside

REVISION = "0002"
"""The newest migration. Compared before Alembic is loaded, which takes longer than the comparison saves."""


class SchemaMismatch(Exception):
    """The database cannot be brought to this version's schema; the message says why."""


def bring_up(path: Path, *, migrations: Path | None = None, revision: str = REVISION) -> None:
    """Create or upgrade the database at `path`. The caller holds its lock. Raises `SchemaMismatch`."""
    engine = create_engine(
        URL.create("sqlite", database=str(path.absolute())), poolclass=NullPool, hide_parameters=True
    )
    use_transactions(engine, ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"), "BEGIN IMMEDIATE")
    try:
        # SQLite would create it readable for everyone; its WAL takes over the mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with engine.begin() as connection:
            current = _current_revision(connection)
            if current == revision:
                return
            if current is not None:
                _back_up(path, current)
            _upgrade(connection, migrations or migrations_folder(), revision)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise SchemaMismatch(f"{path} cannot be used: {getattr(error, 'orig', None) or error}") from error
    finally:
        engine.dispose()


def migrations_folder() -> Path:
    """In a wheel the scripts lie beside this module, in a clone at its root."""
    here = Path(__file__).resolve()
    for folder in (here.with_name("migrations"), here.parents[5] / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise SchemaMismatch("the migration scripts are missing from this installation")


def _current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: Connection, migrations: Path, revision: str) -> None:
    # Loaded only when there is something to do.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        found = _current_revision(connection)
        raise SchemaMismatch(
            f"the database is at revision {found}, which this version does not know (its own is {revision}): "
            "it was written by a newer version"
        ) from error


def _back_up(path: Path, revision: str) -> None:
    target = beside(path, f".before-{revision}")
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
