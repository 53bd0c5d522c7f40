"""A fake of the HTTP interface that remembers what was sent and answers from a script."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from relay.adapters.outbound.http.interface import HttpRequest, HttpResponse, Phases
from relay.domain.errors import UpstreamError

type Step = bytes | UpstreamError | float
"""A chunk to give out, an error to raise, or seconds to wait."""


@dataclass
class ScriptedResponse:
    """Gives its steps out one by one; `reads` and `closed` tell what was made of it."""

    steps: Sequence[Step] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    reads: int = 0
    closed: int = 0

    def __post_init__(self) -> None:
        self.phases = Phases(connect_s=None, tls_s=None, head_s=0.0)
        self._left = list(self.steps)

    async def read(self) -> bytes | None:
        self.reads += 1
        while self._left:
            match self._left.pop(0):
                case bytes() as chunk:
                    await anyio.lowlevel.checkpoint()
                    return chunk
                case float() as seconds:
                    await anyio.sleep(seconds)
                case error:
                    raise error
        await anyio.lowlevel.checkpoint()
        return None

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        while self._left and isinstance(chunk := self._left[0], bytes):
            await anyio.lowlevel.checkpoint()
            self._left.pop(0)
            if not take(chunk):
                return

    async def aclose(self) -> None:
        self.closed += 1


type Answer = ScriptedResponse | UpstreamError


def whole(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> ScriptedResponse:
    """A body in one chunk; what is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ScriptedResponse((data,), status=status, headers=headers or {})


@dataclass
class RecordingHttp:
    """An `UpstreamHttp` whose answers come from `answer`."""

    answer: Callable[[HttpRequest], Answer]
    requests: list[HttpRequest] = field(default_factory=list)
    responses: list[ScriptedResponse] = field(default_factory=list)

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        answer = self.answer(request)
        if isinstance(answer, UpstreamError):
            raise answer
        self.responses.append(answer)
        return answer

    async def aclose(self) -> None:
        """Nothing to let go of."""
