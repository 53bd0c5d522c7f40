"""The spool's writing side: the `Ledger` port over an append-only log.

A record is in the kernel's hands when `begin` or `end` returns. The records written last are kept in memory
too, so that settling them need not read the file it has just seen written; the file alone is the truth.
"""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from relay.adapters.outbound.spool.cleaning import clean_context, clean_ended, clean_started
from relay.adapters.outbound.spool.log import LIMIT_BYTES, SEGMENT_BYTES, SegmentLog
from relay.adapters.outbound.spool.segment import (
    Record,
    encode_context,
    encode_end,
    encode_start,
    last_number,
    segment_numbers,
)
from relay.adapters.outbound.spool.syncing import force
from relay.domain.errors import AccountingUnavailable
from relay.domain.ledger import AttemptContext, AttemptEnded, AttemptStarted
from relay.domain.values import ByIdentity

RECENT_RECORDS = 4096
MAX_UNWRITTEN = 65536
"""Of ends kept in memory: far more than can be in flight, as nothing begins while they wait."""

KEPT_CONTEXTS = 4096

UNAVAILABLE = "the relay's ledger cannot be written"


class Recent(NamedTuple):
    """A record just written: in which segment, from where to where, and what."""

    number: int
    start: int
    end: int
    record: Record


class Spool:
    """Implements `application.ports.Ledger`. One process at a time may use a folder, one thread may write.

    `older` are the segments found at the start, `recent` the last records written by this run.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        limit_bytes: int = LIMIT_BYTES,
        sync: Callable[[int], None] = force,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.older = tuple(segment_numbers(folder))
        self.recent: deque[Recent] = deque(maxlen=RECENT_RECORDS)
        self.log = SegmentLog(
            folder,
            last_number(folder) + 1,
            segment_bytes=segment_bytes,
            limit_bytes=limit_bytes,
            sync=sync,
        )
        self._unwritten: deque[AttemptEnded] = deque(maxlen=MAX_UNWRITTEN)
        self._write_problem = ""
        self._context = ByIdentity(_cleaned_and_encoded, KEPT_CONTEXTS)

    @property
    def problem(self) -> str:
        """Why nothing billable may start now; empty when it may."""
        return self._write_problem or self.log.problem

    def begin(self, started: AttemptStarted) -> None:
        """See `Ledger.begin`."""
        context, encoded = self._context(started.context)
        record = clean_started(started, context)
        if self.log.problem:
            raise AccountingUnavailable(UNAVAILABLE)
        try:
            if self._unwritten:
                self._write_waiting()
            self._append(record, encode_start(record, encoded), beyond_limit=False)
        except OSError as error:
            self._write_problem = self._words(error)
            raise AccountingUnavailable(UNAVAILABLE) from error
        self._write_problem = ""

    def end(self, ended: AttemptEnded) -> None:
        """See `Ledger.end`."""
        self._unwritten.append(ended)
        try:
            self._write_waiting()
        except OSError as error:
            self._write_problem = self._words(error)

    def retry(self) -> None:
        """After a failure: write the ends that wait and see whether there is room again. Called now and then."""
        if not self._unwritten and not self._write_problem:
            return
        try:
            self._write_waiting()
            self.log.probe()
        except OSError as error:
            self._write_problem = self._words(error)
        else:
            self._write_problem = ""

    def close(self) -> None:
        """Write what waits, sync, and close."""
        self.retry()
        self.log.close()

    def _write_waiting(self) -> None:
        while self._unwritten:
            ended = self._unwritten[0]
            counts = ended.usage.counts()
            record = clean_ended(ended, counts)
            if record is not ended:
                counts = record.usage.counts()
            self._append(record, encode_end(record, counts), beyond_limit=True)
            self._unwritten.popleft()

    def _append(self, record: Record, frame: bytes, *, beyond_limit: bool) -> None:
        start = self.log.append(frame, beyond_limit=beyond_limit)
        self.recent.append(Recent(self.log.current, start, start + len(frame), record))

    def _words(self, error: OSError) -> str:
        return f"cannot write {self.folder}: {error.strerror or error}"


def _cleaned_and_encoded(context: AttemptContext) -> tuple[AttemptContext, bytes]:
    """Once for all attempts that have it."""
    clean = clean_context(context)
    return clean, encode_context(clean)
