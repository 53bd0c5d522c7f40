"""The upstream's own ledger: one record per request received, the truth against which the relay's is reconciled."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

POLL_S = 0.005

type Condition = Callable[[list["Call"]], bool]


@dataclass
class Call:
    """One request received.

    Times named `..._at` are seconds of the monotonic clock, which on Linux all processes of a machine share;
    `unix_time` is the arrival by the wall clock. Tokens are those really sent, whatever the wire said of them:
    `tokens_in` counts once the model has begun to work (never with an error status), `tokens_out` token by token in
    a stream, and all at once when a whole answer has been written. `chunks_sent` counts events or lines with text,
    reasoning or a tool call in them. `writes` and `bytes_sent` are known once the call has ended.
    """

    seq: int
    connection: int
    arrived_at: float
    unix_time: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any = None
    model: str = ""
    stream: bool = False
    script: str = ""
    status: int | None = None
    first_byte_at: float | None = None
    chunks_sent: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    writes: int = 0
    bytes_sent: int = 0
    completed: bool = False
    peer_closed_at: float | None = None
    ended_at: float | None = None
    error: str | None = None

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-request-id")

    @property
    def is_chat(self) -> bool:
        """Whether it asked a model for an answer."""
        paths = ("/api/chat", "/api/generate", "/chat/completions", "/messages", "/responses")
        return bool(self.model) and self.path.endswith(paths)

    @property
    def is_embedding(self) -> bool:
        """Whether it asked a model for embeddings."""
        return bool(self.model) and self.path.endswith(("/api/embed", "/embeddings"))


@dataclass(frozen=True)
class Totals:
    """Sums over chat calls."""

    attempts: int = 0
    completed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass
class Ledger:
    """All calls since the last reset, readable from any thread; with a file, each also becomes lines of JSON."""

    file: Path | None = None
    _calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last_seq: int = 0
    _cleared_seq: int = 0

    def begin(self, *, connection: int, method: str, path: str, headers: dict[str, str]) -> Call:
        """Record an arrival."""
        with self._lock:
            self._last_seq += 1
            now = time.monotonic()
            call = Call(self._last_seq, connection, now, time.time(), method, path, headers)
            self._calls.append(call)
        return call

    def write(self, call: Call) -> None:
        """Append the call as it stands to the file, if there is one; of the lines of a call the last one counts.

        A call that was in flight when the ledger was cleared is forgotten in the file, too.
        """
        with self._lock:
            if self.file is not None and call.seq > self._cleared_seq:
                _append(self.file, asdict(call))

    def end(self, call: Call) -> None:
        """Record that nothing more will happen to this call."""
        call.ended_at = time.monotonic()
        self.write(call)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()
            self._cleared_seq = self._last_seq
            if self.file is not None:
                _append(self.file, {"cleared": True})

    @property
    def calls(self) -> list[Call]:
        """Copies, in the order of arrival."""
        with self._lock:
            return [replace(call) for call in self._calls]

    @property
    def chats(self) -> list[Call]:
        """The calls that asked a model for an answer."""
        return [call for call in self.calls if call.is_chat]

    @property
    def embeddings(self) -> list[Call]:
        """The calls that asked a model for embeddings."""
        return [call for call in self.calls if call.is_embedding]

    @property
    def unfinished(self) -> list[Call]:
        """The calls still being answered."""
        return [call for call in self.calls if call.ended_at is None]

    def of(self, model: str) -> list[Call]:
        """The chat calls of one model name."""
        return [call for call in self.chats if call.model == model]

    def totals(self) -> Totals:
        return totals_of(self.chats)

    def wait(self, condition: Condition, timeout_s: float = 2.0) -> list[Call]:
        """Wait until the calls meet the condition; for tests outside the upstream's loop."""
        deadline = time.monotonic() + timeout_s
        while not condition(calls := self.calls):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout_s} s: {calls}")
            time.sleep(POLL_S)
        return calls

    async def reached(self, condition: Condition, timeout_s: float = 2.0) -> list[Call]:
        """Wait until the calls meet the condition; for tests inside the upstream's loop."""
        deadline = time.monotonic() + timeout_s
        while not condition(calls := self.calls):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout_s} s: {calls}")
            await asyncio.sleep(POLL_S)
        return calls


def totals_of(calls: Iterable[Call]) -> Totals:
    """Sum calls up."""
    calls = list(calls)
    return Totals(
        attempts=len(calls),
        completed=sum(call.completed for call in calls),
        tokens_in=sum(call.tokens_in for call in calls),
        tokens_out=sum(call.tokens_out for call in calls),
    )


def everything_ended(calls: list[Call]) -> bool:
    """A condition to wait for: there were calls, and none is being answered any more."""
    return bool(calls) and all(call.ended_at is not None for call in calls)


def _append(file: Path, line: dict[str, Any]) -> None:
    with file.open("a", encoding="ascii") as lines:
        lines.write(json.dumps(line) + "\n")


def read_ledger(file: Path) -> list[Call]:
    """The calls another process has written to its ledger file; a line still being written is left out."""
    calls: dict[int, Call] = {}
    for line in file.read_text("ascii").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        record = json.loads(line)
        if record.get("cleared"):
            calls.clear()
        else:
            calls[record["seq"]] = Call(**record)
    return list(calls.values())
