"""Forces written segments to the disk in a thread of its own: power loss costs little, the loop waits for nothing.

Theory of operation. The loop's thread writes and tells; this thread waits until something is unsynced, then
200 ms or 64 records more, and calls `fdatasync`. It alone closes descriptors, so none is reused under it. Both
sides share flags only: a lost update of the record count makes a sync a little early or late, nothing else.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

force: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has the second only
SYNC_INTERVAL_S = 0.2
SYNC_RECORDS = 64


class Syncer:
    """Owns the descriptors handed to it; `problem` says why the last attempt failed, empty when it did not."""

    def __init__(self, folder: Path, *, sync: Callable[[int], None] = force) -> None:
        self.problem = ""
        self._folder = folder
        self._sync = sync
        self._current: int | None = None
        self._retired: deque[int] = deque()
        self._folder_is_stale = False
        self._unsynced_records = 0
        self._closing = False
        self._dirty = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-sync", daemon=True)
        self._thread.start()

    def adopt(self, descriptor: int) -> None:
        """Sync this one from now on; the one before is synced once more and closed."""
        previous, self._current = self._current, descriptor
        if previous is not None:
            self._retired.append(previous)
        self._folder_is_stale = True
        self._dirty.set()

    def wrote(self) -> None:
        """A record was written to the current descriptor."""
        if not self._dirty.is_set():
            self._dirty.set()
        self._unsynced_records += 1
        if self._unsynced_records >= SYNC_RECORDS and not self._hurry.is_set():
            self._hurry.set()

    def close(self) -> None:
        """Sync and close everything."""
        self._closing = True
        self._hurry.set()
        self._dirty.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._dirty.wait()
            self._hurry.wait(SYNC_INTERVAL_S)
            self._hurry.clear()
            self._dirty.clear()
            self._unsynced_records = 0
            self._sync_all()
        self._sync_all()  # what was written while the last round ran
        for descriptor in (*self._retired, self._current):
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)

    def _sync_all(self) -> None:
        try:
            if self._folder_is_stale:
                self._folder_is_stale = False
                self._sync_folder()
            while self._retired:
                self._sync(self._retired[0])
                os.close(self._retired.popleft())
            if self._current is not None:
                self._sync(self._current)
        except OSError as error:
            self._folder_is_stale = True
            self._dirty.set()
            self.problem = f"cannot sync {self._folder}: {error.strerror or error}"
        else:
            self.problem = ""

    def _sync_folder(self) -> None:
        """A new file's name is on the disk only once its folder is synced."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
