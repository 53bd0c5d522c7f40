"""One line per request: what was asked, who answered, how it ended. Never a body, a query or a key."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
from structlog.typing import FilteringBoundLogger

from relay.application.ports import Clock

type RequestOutcome = Literal["ok", "error", "cancelled"]

STATE_KEY = "llm_relay.access_line"
CLIENT_GONE = 499
"""The status logged when the client left before it was answered; no client ever sees it."""

MAX_PATH_CHARACTERS = 200
FLUSH_S = 0.1


@dataclass(slots=True, kw_only=True)
class AccessLine:
    """What is known of one request so far; logged when it is over.

    `began_s` is monotonic seconds. `provider`, `model` and `resolved_by` are those of the attempt that
    answered, `key` the name of the caller's key, `error` a machine-readable reason.
    """

    request_id: str
    method: str
    path: str
    began_s: float = field(repr=False)
    status: int = 0
    outcome: RequestOutcome = "ok"
    provider: str = ""
    model: str = ""
    resolved_by: str = ""
    attempts: int = 0
    key: str = ""
    error: str = ""
    duration_ms: float = 0.0


type AccessLog = Callable[[AccessLine], None]


def line_of(state: Mapping[str, Any]) -> AccessLine:
    """The line that the gate has opened for the request with this `scope["state"]`."""
    line: AccessLine = state[STATE_KEY]
    return line


def to_logger(logger: FilteringBoundLogger) -> AccessLog:
    """Lines as events of a structured logger, for a person to read."""

    def write(line: AccessLine) -> None:
        logger.info("request", **_said(line))

    return write


class AccessStream:
    """Lines as JSON, as the structured logger writes its events, for a twentieth of its cost.

    What comes within `FLUSH_S` seconds is written at once. `flush` writes what is left, when all is over.
    """

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out = out
        self._clock = clock
        self._waiting: list[bytes] = []
        self._second = 0
        self._stamp = ""

    def __call__(self, line: AccessLine) -> None:
        """Take a line."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        self._waiting.append(_encode(self._written(line)))

    def _written(self, line: AccessLine) -> "_WrittenLine":
        second, rest_ns = divmod(self._clock.unix_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return _WrittenLine(
            line.request_id,
            line.method,
            line.path[:MAX_PATH_CHARACTERS],
            line.status,
            line.outcome,
            round(line.duration_ms, 1),
            line.provider,
            line.model,
            line.resolved_by,
            line.attempts,
            line.key,
            line.error,
            f"{self._stamp}.{rest_ns // 1000:06d}Z",
            "request",
            "info",
        )

    def flush(self) -> None:
        """Write what waits. A stream that cannot be written to costs its lines, nothing else."""
        text = b"\n".join((*self._waiting, b"")).decode()
        self._waiting.clear()
        with suppress(OSError, ValueError):
            self._out.write(text)
            self._out.flush()


class _WrittenLine(msgspec.Struct, omit_defaults=True, gc=False):
    """A line as JSON, in the order of its members; those that are not known are left out."""

    request_id: str
    method: str
    path: str
    status: int
    outcome: str
    duration_ms: float
    provider: str = ""
    model: str = ""
    resolved_by: str = ""
    attempts: int = 0
    key: str = ""
    error: str = ""
    timestamp: str = ""
    event: str = ""
    level: str = ""


def _said(line: AccessLine) -> dict[str, object]:
    said: dict[str, object] = {
        "request_id": line.request_id,
        "method": line.method,
        "path": line.path[:MAX_PATH_CHARACTERS],
        "status": line.status,
        "outcome": line.outcome,
        "duration_ms": round(line.duration_ms, 1),
    }
    for name in _OPTIONAL:
        if value := getattr(line, name):
            said[name] = value
    return said


_OPTIONAL = ("provider", "model", "resolved_by", "attempts", "key", "error")
_encode = msgspec.json.Encoder().encode
