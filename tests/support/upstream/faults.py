"""What each fault does, in terms of the answer it is done to."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import chain, repeat

from tests.support.upstream.answers import Answer, Text
from tests.support.upstream.chat import Json
from tests.support.upstream.exchange import Exchange, respond
from tests.support.upstream.wire import BIG_TEXT, Frame, encoded

MIB = 1024 * 1024
GZIP = 31  # what zlib calls a gzip container with the largest window
FILLER = b"0" * (64 * 1024)
ODD_CHUNK: Json = {"id": "odd", "object": "chat.completion.chunk"}
ODD_CHUNKS: tuple[Json, ...] = ({**ODD_CHUNK, "choices": None}, ODD_CHUNK, {**ODD_CHUNK, "choices": []})
HTML = b"<!doctype html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"

type Fault = Callable[[Exchange], Awaitable[None]]


def _parted(x: Exchange) -> tuple[list[Frame], list[Frame]]:
    """The frames up to the `after_chunks`-th with content, and the rest.

    With 0 chunks not even the opening frame is in the first part, unless the parameter `opening` puts it there.
    """
    wanted = x.script.number("after_chunks")
    before: list[Frame] = []
    frames = iter(x.frames())
    for frame in frames:
        opens = frame.kind == "opening" and (wanted or x.script.number("opening"))
        if not opens and not (frame.kind == "content" and wanted > 0):
            return before, [frame, *frames]
        wanted -= frame.kind == "content"
        before.append(frame)
    return before, []


async def _start_with(x: Exchange, before: list[Frame], rest: list[Frame]) -> None:
    await x.start(sum(len(frame.data) for frame in chain(before, rest)))
    for frame in before:
        await x.send(frame)


async def _end_with(x: Exchange, rest: list[Frame]) -> None:
    for frame in rest:
        await x.send(frame)
    await x.finish()
    x.call.completed = True


async def _plain(x: Exchange) -> None:
    """For faults that lie in the reply itself."""
    await x.answer()


async def status(x: Exchange) -> None:
    text = x.script.text("message") or f"scripted error {x.script.status}"
    body = x.wire.error(x.script.status, text, x.script.text("code"))
    wanted = (
        ("retry-after", x.script.text("retry_after")),
        ("retry-after-ms", x.script.text("retry_after_ms")),
    )
    await x.peer.pause(x.script.seconds("first_ms"))
    await respond(x.peer, x.call, x.script.status, body, headers=[pair for pair in wanted if pair[1]])


async def _silent(x: Exchange) -> None:
    await x.hold()
    await x.sever()


async def _stall(x: Exchange) -> None:
    before, rest = _parted(x)
    await _start_with(x, before, rest)
    await x.hold(x.script.seconds("for_ms"))
    if not x.script.number("for_ms"):
        await x.sever()
    await _end_with(x, rest)


async def _pings(x: Exchange) -> None:
    before, rest = _parted(x)
    await _start_with(x, before, rest)
    every_s = x.script.seconds("every_ms")
    for _ in range(int((x.script.seconds("for_ms") or x.hold_s) / every_s)):
        await x.peer.pause(every_s)
        if x.streams:
            await x.send_bytes(x.wire.ping)
    if not x.script.number("for_ms"):
        await x.sever()
    await _end_with(x, rest)


async def _cut(x: Exchange) -> None:
    await _start_with(x, *_parted(x))
    await x.sever()


async def _reset(x: Exchange) -> None:
    x.peer.reset_after = x.script.number("after_bytes")
    await x.answer()
    # The answer was shorter than that.
    x.peer.reset_after = x.peer.bytes_sent
    await x.peer.send(b"")


async def _error_event(x: Exchange) -> None:
    message, code = x.script.text("message"), x.script.text("code")
    if not x.streams:
        await respond(x.peer, x.call, 200, x.wire.error(500, message, code))
        return
    before, rest = _parted(x)
    await _start_with(x, before, rest)
    await x.send_bytes(x.wire.stream_error(message, code))
    await x.finish()


async def _html(x: Exchange) -> None:
    await respond(x.peer, x.call, 200, HTML, content_type="text/html; charset=utf-8")


async def _truncated_json(x: Exchange) -> None:
    if not x.streams:
        half = next(x.frames()).data
        await x.start(len(half))
        await x.send_bytes(half)
        return
    before, rest = _parted(x)
    await _start_with(x, before, rest)
    if rest:
        data = rest[0].data.rstrip(b"\n")
        await x.send_bytes(data[: -(len(data) // 3)] + rest[0].data[len(data) :])
    await x.finish()


async def _split(x: Exchange) -> None:
    x.peer.write_size = x.script.number("n")
    await x.answer()


async def _usage_twice(x: Exchange) -> None:
    frames = list(x.frames())
    twice = [frame for frame in frames if frame.kind == "usage"]
    await x.answer([*frames[:-1], *twice, *frames[-1:]] if twice else frames)


async def _odd_chunks(x: Exchange) -> None:
    odd = [Frame(b"data: " + encoded(chunk) + b"\n\n", "opening") for chunk in ODD_CHUNKS]
    await x.answer(chain.from_iterable([*odd, frame] for frame in x.frames()))


async def _no_done(x: Exchange) -> None:
    await x.answer(frame for frame in x.frames() if frame.kind != "done")


async def _two_done(x: Exchange) -> None:
    frames = list(x.frames())
    await x.answer([*frames, *(frame for frame in frames if frame.kind == "done")])


def _big(x: Exchange) -> tuple[bytes, int, bytes]:
    """The answer with a text of one token, many MiB long: what is before it, how many fillers, what is after it."""
    usage = x.reply.usage and replace(x.reply.usage, output=1)
    x.reply = replace(x.reply, answer=Answer((Text(BIG_TEXT),)), usage=usage)
    before, after = b"".join(frame.data for frame in x.frames()).split(BIG_TEXT.encode())
    return before, x.script.number("mb") * MIB // len(FILLER), after


async def _longline(x: Exchange) -> None:
    before, fillers, after = _big(x)
    await x.start(len(before) + fillers * len(FILLER) + len(after))
    for piece in chain([before], repeat(FILLER, fillers), [after]):
        await x.send_bytes(piece)
    await _end_big(x)


async def _gzipbomb(x: Exchange) -> None:
    before, fillers, after = _big(x)
    await x.start(None, headers=[("content-encoding", "gzip")])
    packer = zlib.compressobj(wbits=GZIP)
    for piece in chain([before], repeat(FILLER, fillers), [after]):
        await x.send_bytes(packer.compress(piece))
        await asyncio.sleep(0)
    await x.send_bytes(packer.flush())
    await _end_big(x)


async def _end_big(x: Exchange) -> None:
    await x.finish()
    x.call.tokens_out = 1
    x.call.completed = True


async def _slow_head(x: Exchange) -> None:
    await x.answer(spread_s=x.script.seconds("ms"))


async def _big_head(x: Exchange) -> None:
    await x.answer(headers=[(f"x-filler-{number}", "f" * 1000) for number in range(x.script.number("kb"))])


async def _early_hints(x: Exchange) -> None:
    await x.peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </nowhere>\r\n\r\n")
    await x.answer()


async def _redirect(x: Exchange) -> None:
    target = x.script.text("to") or f"/redirected{x.call.path}"
    body = encoded({"error": "moved"})
    await respond(x.peer, x.call, x.script.number("status"), body, headers=[("location", target)])


async def _keepalive_close(x: Exchange) -> None:
    await x.answer()
    await x.peer.pause(x.script.seconds("after_ms"))
    x.peer.close()


FAULTS: Mapping[str, Fault] = {
    "silent": _silent,
    "stall": _stall,
    "pings": _pings,
    "cut": _cut,
    "reset": _reset,
    "error_event": _error_event,
    "html": _html,
    "truncated_json": _truncated_json,
    "split": _split,
    "nousage": _plain,
    "badusage": _plain,
    "usage_twice": _usage_twice,
    "longline": _longline,
    "gzipbomb": _gzipbomb,
    "nofinish": _plain,
    "odd_chunks": _odd_chunks,
    "no_done": _no_done,
    "two_done": _two_done,
    "slow_head": _slow_head,
    "big_head": _big_head,
    "early_hints": _early_hints,
    "redirect": _redirect,
    "keepalive_close": _keepalive_close,
}

NEVER_BILLED = frozenset({"redirect", "html"})
"""Faults, besides an error status, in which no model has worked."""
