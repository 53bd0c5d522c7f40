"""`/health/live` and `/health/ready`: is it alive, and shall it get traffic, with reasons when not."""

from collections.abc import Callable, Sequence
from typing import Any

from litestar import Response, route
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler

from relay.adapters.dialects import lenient
from relay.adapters.inbound.http.traffic import Traffic

PREFIX = "/health/"

type ReadinessCheck = Callable[[], Sequence[str]]
"""What is wrong, in words for an operator; nothing when nothing is. Must not wait."""


def nothing() -> Sequence[str]:
    """The check of what is never wrong."""
    return ()


class Readiness:
    """The listener's own state and everybody else's: what keeps it from serving, and what it serves in spite of."""

    def __init__(self, traffic: Traffic, check: ReadinessCheck, degraded: ReadinessCheck) -> None:
        self._traffic = traffic
        self._check = check
        self.degraded = degraded

    def problems(self) -> list[str]:
        """Reasons not to send traffic here."""
        return [*(["draining"] if self._traffic.draining else []), *self._check()]


@route("/health/live", http_method=["GET", "HEAD"])
async def live() -> Response[Any]:
    """The event loop turns: nothing else is asked."""
    return _answer(200, {"status": "ok"})


@route("/health/ready", http_method=["GET", "HEAD"])
async def ready(readiness: NamedDependency[Readiness]) -> Response[Any]:
    """200, with the reasons when it serves in spite of some, or 503 with those that keep it from serving."""
    problems = readiness.problems()
    if problems:
        return _answer(503, {"status": "not ready", "reasons": problems})
    if degraded := list(readiness.degraded()):
        return _answer(200, {"status": "degraded", "reasons": degraded})
    return _answer(200, {"status": "ready"})


ROUTES: Sequence[BaseRouteHandler] = (live, ready)


def _answer(status: int, value: object) -> Response[Any]:
    return Response(
        lenient.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
