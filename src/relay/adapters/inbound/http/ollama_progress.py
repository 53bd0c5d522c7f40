"""Answers with what a provider says while it changes its models, line by line, until the client leaves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from relay.adapters.dialects import lenient
from relay.adapters.inbound.http.access import AccessLine, line_of
from relay.application.manage.models import ProgressLine
from relay.domain.errors import RelayError

type Lines = AsyncGenerator[ProgressLine]
type Begin = Callable[[str], Lines]
"""The lines of a change's progress, for the request of this id."""

FAILED = "management_failed"
_NDJSON = (b"content-type", b"application/x-ndjson")
_JSON = (b"content-type", b"application/json; charset=utf-8")


class ProgressAnswer(ASGIResponse):
    """The progress as lines, or with `streams` off as the one object at its end; nothing when nothing is said.

    What fails before the first line is raised, for the answer to have its status; later it is a line. A change
    whose client leaves is let go of, as by a real server.
    """

    def __init__(self, begin: Begin, *, streams: bool, provider: str) -> None:
        super().__init__()
        self._begin = begin
        self._streams = streams
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Raises `RelayError` before anything is sent."""
        line = line_of(scope["state"])
        line.provider = self._provider
        working = asyncio.create_task(self._answer(line, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            else:
                line.outcome = "cancelled"
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _answer(self, line: AccessLine, send: Send) -> None:
        async with aclosing(self._begin(line.request_id)) as lines:
            if self._streams:
                await _stream(lines, line, send)
            else:
                await _whole(lines, line, send)


async def _stream(lines: Lines, line: AccessLine, send: Send) -> None:
    has_begun = False
    try:
        async for said in lines:
            if not has_begun:
                await send({"type": "http.response.start", "status": 200, "headers": [_NDJSON]})
                has_begun = True
            if said.error:
                line.outcome, line.error = "error", FAILED
            await send({"type": "http.response.body", "body": said.raw + b"\n", "more_body": True})
    except RelayError as error:
        if not has_begun:
            raise
        line.outcome, line.error = "error", error.code or type(error).__name__
        told = lenient.encode({"error": error.message}) + b"\n"
        await send({"type": "http.response.body", "body": told, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _whole(lines: Lines, line: AccessLine, send: Send) -> None:
    """A failure that the provider tells in a line has the status 500, as with a real server."""
    last: ProgressLine | None = None
    async for said in lines:
        last = said
    body, status = (last.raw if last else b""), 200
    headers = [(b"content-length", b"%d" % len(body))]
    if last is not None:
        headers.append(_JSON)
        if last.error:
            status, line.outcome, line.error = 500, "error", FAILED
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _left(receive: Receive) -> None:
    """Wait for the client to leave; its request has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
