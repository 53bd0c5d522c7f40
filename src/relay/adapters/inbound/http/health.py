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
"""What keeps the relay from serving, in words for an operator; nothing when it is ready. Must not wait."""


class Readiness:
    """The listener's own state and everybody else's, in one list of reasons."""

    def __init__(self, traffic: Traffic, check: ReadinessCheck) -> None:
        self._traffic = traffic
        self._check = check

    def problems(self) -> list[str]:
        """Reasons not to send traffic here."""
        return [*(["draining"] if self._traffic.draining else []), *self._check()]


@route("/health/live", http_method=["GET", "HEAD"])
async def live() -> Response[Any]:
    """The event loop turns: nothing else is asked."""
    return _answer(200, {"status": "ok"})


@route("/health/ready", http_method=["GET", "HEAD"])
async def ready(readiness: NamedDependency[Readiness]) -> Response[Any]:
    """200, or 503 with the reasons."""
    problems = readiness.problems()
    if problems:
        return _answer(503, {"status": "not ready", "reasons": problems})
    return _answer(200, {"status": "ready"})


ROUTES: Sequence[BaseRouteHandler] = (live, ready)


def _answer(status: int, value: object) -> Response[Any]:
    return Response(
        lenient.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
