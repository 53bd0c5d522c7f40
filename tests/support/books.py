"""The relay's ledger, read as `relay usage requests --json` prints it, without starting a process each time."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from relay.application.report_usage import MAX_LIMIT, RequestsQuery
from relay.programs import DEMO_DATABASE, CommandPrograms
from relay.settings import Database, Settings

SETTLE_S = 5.0

type Row = Mapping[str, Any]


def ledger_rows(folder: Path) -> list[Row]:
    """Every row, newest first, of the relay that runs, or ran, in this folder."""
    path = folder / "relay.db"
    if not path.exists():
        path = folder / DEMO_DATABASE.path
    settings = Settings(database=Database(url=f"sqlite:///{path}"))
    programs = CommandPrograms({})
    items: list[Row] = []
    cursor: str | None = ""
    while cursor is not None:
        page = programs.requests(settings, RequestsQuery(limit=MAX_LIMIT, before=cursor))
        items += msgspec.to_builtins(page.items)
        cursor = page.next
    return items


def settled_rows(folder: Path, fits: Callable[[list[Row]], bool]) -> list[Row]:
    """The rows once they fit: the writer follows the spool within a fraction of a second."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        rows = ledger_rows(folder)
        if fits(rows):
            return rows
        if time.monotonic() > deadline:
            raise AssertionError(f"the ledger did not settle: {rows}")
        time.sleep(0.05)


def row_of(folder: Path, request_id: str) -> Row:
    """The one row of this request."""
    rows = settled_rows(folder, lambda rows: any(row["request_id"] == request_id for row in rows))
    (row,) = (row for row in rows if row["request_id"] == request_id)
    return row
