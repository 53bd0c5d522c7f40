"""JSON in and out as real peers write and read it: one decode helper, one encode helper.

msgspec is strict where peers are not: lone surrogate escapes, a BOM, NaN and raw control characters occur in
real traffic, so a failed decode is tried once more through the standard library, with the text cleaned.
JSON out escapes U+2028, U+2029 and U+0085, on which common clients' line readers split.
"""

import json
import re
from collections.abc import Callable
from typing import Protocol

import msgspec

_SURROGATES = re.compile("[\ud800-\udfff]")
_SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))
_BOM = b"\xef\xbb\xbf"

_encoder = msgspec.json.Encoder()


class Undecodable(ValueError):
    """The bytes are not JSON, or JSON of another shape; the text names the place (`at $.messages[0]`)."""


class _Decoder[T](Protocol):
    def decode(self, buf: bytes, /) -> T: ...


def decode[T](
    decoder: _Decoder[T],
    convert: Callable[[object], T],
    body: bytes,
    *,
    first_value_only: bool = False,
) -> T:
    """`body` decoded by `decoder`, or, when only the bytes are irregular, cleaned and given to `convert`.

    `convert` is normally `functools.partial(msgspec.convert, type=T, strict=False)`. With `first_value_only`
    anything after the first JSON value is ignored, as Go's decoder does. Raises `Undecodable`.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Undecodable(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise Undecodable("JSON is nested too deeply") from None
    try:
        return convert(_loads(body, first_value_only=first_value_only))
    except msgspec.ValidationError as error:
        raise Undecodable(str(error)) from None
    except RecursionError:
        raise Undecodable("JSON is nested too deeply") from None


def loads(body: bytes, *, finite: bool = False) -> object:
    """Any JSON value, its bytes irregular or not, its text cleaned; with `finite`, no NaN and no Infinity.

    Raises `Undecodable`.
    """
    try:
        return _loads(body, first_value_only=False, finite=finite)
    except RecursionError:
        raise Undecodable("JSON is nested too deeply") from None


def encode(value: object) -> bytes:
    """JSON without the three line separators; text must be free of lone surrogates."""
    return escape_separators(_encoder.encode(value))


def escape_separators(payload: bytes) -> bytes:
    """The same JSON with U+2028, U+2029 and U+0085 as escapes: they can only stand inside strings."""
    if payload.isascii():
        return payload
    for raw, escaped in _SEPARATORS:
        if raw in payload:
            payload = payload.replace(raw, escaped)
    return payload


def settled(text: str) -> str:
    """JSON text as it is after a trip: without white space around it, and with line separators escaped."""
    return escape_separators(text.strip().encode()).decode()


def clean_text(text: str) -> str:
    """`text` with each lone surrogate replaced by U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def in_utf8(body: bytes) -> bytes:
    """`body` with whatever is no UTF-8 in it replaced by U+FFFD, as Go's decoder does."""
    if body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode(errors="replace").encode()
    return body


def _loads(body: bytes, *, first_value_only: bool, finite: bool = False) -> object:
    try:
        text = body.removeprefix(_BOM).decode(errors="surrogatepass")
    except UnicodeDecodeError as error:
        raise Undecodable(f"invalid UTF-8 at byte {error.start}") from None
    text = text.lstrip(" \t\r\n")
    try:
        if first_value_only:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text)
        else:
            value = json.loads(text, strict=False, parse_constant=_no_constant if finite else None)
    except ValueError as error:
        raise Undecodable(f"invalid JSON: {error}") from None
    return _cleaned(value)


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _cleaned(value: object) -> object:
    match value:
        case str():
            return clean_text(value)
        case list():
            return [_cleaned(item) for item in value]
        case dict():
            return {clean_text(key): _cleaned(item) for key, item in value.items()}
        case _:
            return value
