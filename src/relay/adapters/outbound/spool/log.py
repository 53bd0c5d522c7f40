"""An append-only log of frames over numbered segment files, written with `write` and nothing in between.

What `write` has taken survives the end of the process, however it ends: it is in the kernel's hands.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

from relay.adapters.outbound.spool.segment import segment_path
from relay.adapters.outbound.spool.syncing import Syncer, force

SEGMENT_BYTES = 8 * 1024 * 1024
LIMIT_BYTES = 4 * 1024 * 1024 * 1024
"""Beyond this much that is not settled nothing new is begun: the disk is not the relay's alone."""
PROBE_BYTES = 4096


class SegmentLog:
    """The log's writing end. `numbers` are its segments that still exist, oldest first; readers discard them."""

    def __init__(
        self,
        folder: Path,
        first_number: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        limit_bytes: int = LIMIT_BYTES,
        sync: Callable[[int], None] = force,
    ) -> None:
        self.current = first_number - 1
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._max_segments = max(limit_bytes // segment_bytes, 1)
        self._finished: dict[int, int] = {}
        self._descriptor: int | None = None
        self._size = 0
        self._syncer = Syncer(folder, sync=sync)

    @property
    def problem(self) -> str:
        """Why the last sync failed; empty when it did not."""
        return self._syncer.problem

    @property
    def numbers(self) -> tuple[int, ...]:
        """The segments that exist, oldest first."""
        return (*self._finished, self.current) if self._descriptor is not None else tuple(self._finished)

    def is_finished(self, number: int) -> bool:
        """True when this segment exists and is no longer written."""
        return number in self._finished

    def size(self, number: int) -> int:
        """The bytes of a segment, 0 for one that does not exist."""
        return self._size if number == self.current else self._finished.get(number, 0)

    def append(self, frame: bytes, *, beyond_limit: bool) -> int:
        """Where in the current segment the frame begins.

        `beyond_limit` lets it make a segment longer than it should be where no other may be begun. Raises
        `OSError` when the frame cannot be written whole; then nothing of it remains.
        """
        descriptor = self._descriptor
        if descriptor is None or self._size >= self._segment_bytes:
            descriptor = self._writable(beyond_limit=beyond_limit)
        start = self._size
        written = os.write(descriptor, frame)
        if written < len(frame):
            self._take_back(descriptor, start)
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        self._size = start + written
        self._syncer.wrote()
        return start

    def probe(self) -> None:
        """Try a write and take it back. Raises `OSError` when there is no room for a record."""
        descriptor = self._writable(beyond_limit=False)
        start = self._size
        try:
            written = os.write(descriptor, bytes(PROBE_BYTES))
        finally:
            self._take_back(descriptor, start)
        if written < PROBE_BYTES:
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    def discard(self, number: int) -> None:
        """Remove a finished segment; where that fails it is there at the next start, and settled again."""
        with suppress(OSError):
            segment_path(self._folder, number).unlink(missing_ok=True)
        self._finished.pop(number, None)

    def close(self) -> None:
        """Sync and close; nothing can be appended afterwards."""
        self._syncer.close()
        if self._descriptor is not None:
            self._finished[self.current] = self._size
            self._descriptor = None

    def _writable(self, *, beyond_limit: bool) -> int:
        descriptor = self._descriptor
        if descriptor is not None and self._size < self._segment_bytes:
            return descriptor
        try:
            return self._begin_segment()
        except OSError:
            if descriptor is None or not beyond_limit:
                raise
            return descriptor

    def _begin_segment(self) -> int:
        if len(self.numbers) >= self._max_segments:
            raise OSError(EDQUOT, f"{len(self.numbers)} segments are not settled yet")
        number = self.current + 1
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(segment_path(self._folder, number), flags, 0o600)
        if self._descriptor is not None:
            self._finished[self.current] = self._size
        self._descriptor, self.current, self._size = descriptor, number, 0
        self._syncer.adopt(descriptor)
        return descriptor

    def _take_back(self, descriptor: int, start: int) -> None:
        """Cut a half-written frame off; where even that fails, readers find the next mark."""
        with suppress(OSError):
            os.ftruncate(descriptor, start)
        self._size = os.fstat(descriptor).st_size
