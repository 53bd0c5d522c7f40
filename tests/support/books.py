"""The relay's ledger as its users read it: through the command line."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.process import run_cli

SETTLE_S = 5.0

type Row = Mapping[str, Any]


def ledger_rows(folder: Path, limit: int = 500) -> list[Row]:
    """Every row, newest first, of the relay that runs, or ran, in this folder."""
    items: list[Row] = []
    cursor: str | None = None
    while True:
        page = ("--before", cursor) if cursor else ()
        done = run_cli("usage", "requests", "--json", "--limit", str(limit), *page, cwd=folder)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        document = json.loads(done.stdout)
        items += document["items"]
        cursor = document["next"]
        if cursor is None:
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
