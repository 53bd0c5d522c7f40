"""One line per request: what was asked, who answered, how it ended. Never a body, a query or a key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from structlog.typing import FilteringBoundLogger

type RequestOutcome = Literal["ok", "error", "cancelled"]

STATE_KEY = "llm_relay.access_line"
CLIENT_GONE = 499
"""The status logged when the client left before it was answered; no client ever sees it."""

MAX_PATH_CHARACTERS = 200


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
    """Lines as events of a structured logger."""

    def write(line: AccessLine) -> None:
        logger.info(
            "request",
            request_id=line.request_id,
            method=line.method,
            path=line.path[:MAX_PATH_CHARACTERS],
            status=line.status,
            outcome=line.outcome,
            duration_ms=round(line.duration_ms, 1),
            **{name: value for name in _OPTIONAL if (value := getattr(line, name))},
        )

    return write


_OPTIONAL = ("provider", "model", "resolved_by", "attempts", "key", "error")
