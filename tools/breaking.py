"""Breaks bodies: bytes cut, doubled and filled with splinters, values replaced by wrong ones."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from random import Random  # noqa: TID251 - from a seed, to be repeated

MAX_BYTES = 64 * 1024

_SPLINTERS = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r", b"\n", b"\n\n", b'"', b"\\", b"{",
    b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 400, b"\\ud83d",
    b"\\u0000", b"data: ", b"event: error\n", b"[DONE]", b": ping\n\n", b'"error":{"message":"x"},', b"<think>",
    b"```json", b"[" * 2000, b'{"a":' * 2000,
)  # fmt: skip
_WRONG: tuple[object, ...] = (
    None, True, False, 0, -1, 1.5, 2**70, -(2**70), 1e300, "", "x", "\ud83d", "stop", [], [None], [[]], [{}], {},
    {"": None}, {"type": None}, {"type": "x", "message": "m", "code": 5}, ["a", 1], "9" * 40, "data:,",
    "data:image/png;base64,!!",
)  # fmt: skip


def broken(body: bytes, chance: Random) -> bytes:
    """The body with a few things wrong, in its bytes or in its values."""
    if chance.random() < 0.5:
        body = _with_wrong_values(body, chance)
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.choice((0, 0, 1, 2, 10, 1000)))
        filling = chance.choice((b"", body[start:end] * 2, *_SPLINTERS))
        body = body[:start] + filling + body[end:]
    return body[:MAX_BYTES]


def pieces(body: bytes, chance: Random) -> Iterator[bytes]:
    """The body in pieces of odd sizes."""
    start = 0
    while start < len(body):
        length = chance.choice((1, 3, 17, 100, 5000))
        yield body[start : start + length]
        start += length


def _with_wrong_values(body: bytes, chance: Random) -> bytes:
    """One value of a JSON body, or of a line of a stream, replaced by a wrong one; what is none stays."""
    if (whole := _with_wrong_value(body, chance)) is not None:
        return whole
    lines = body.split(b"\n")
    place = chance.randrange(len(lines))
    head, brace, rest = lines[place].partition(b"{")
    lines[place] = head + (_with_wrong_value(brace + rest, chance) or brace + rest)
    return b"\n".join(lines)


def _with_wrong_value(body: bytes, chance: Random) -> bytes | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if places := list(_places(value)):
        chance.choice(places)(deepcopy(chance.choice(_WRONG)))
    return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")


def _places(value: object) -> Iterator[Callable[[object], None]]:
    """A setter for every value inside of `value`."""
    match value:
        case dict():
            for key, held in list(value.items()):
                yield partial(value.__setitem__, key)
                yield from _places(held)
        case list():
            for index, held in enumerate(value):
                yield partial(value.__setitem__, index)
                yield from _places(held)
        case _:
            pass
