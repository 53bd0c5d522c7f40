"""Sees to it that one process alone writes to a database file.

The lock is on a file beside the database, never on the database itself: closing any descriptor of that one
would drop the locks SQLite holds on it.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class DatabaseBusy(Exception):
    """Another process has the database."""


class DatabaseLock:
    """Held from construction until `release`, or the end of the process, however it ends."""

    def __init__(self, database: Path) -> None:
        path = beside(database, ".lock")
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise DatabaseBusy(f"{database} is in use by another relay (process {holder})") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others have it. The file stays: removing it would let two processes lock two files."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def beside(database: Path, suffix: str) -> Path:
    """The file or folder that belongs to a database, links to it followed so that one database has one lock."""
    resolved = database.resolve()
    return resolved.with_name(resolved.name + suffix)
