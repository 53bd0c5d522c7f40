"""A provider's JSON read member by member: what is not as it should be is taken as not sent.

Values stay bytes until they are asked for, so that what only passes through keeps its spelling.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.domain.chat import JsonText
from relay.domain.errors import Malformed
from relay.domain.usage import MAX_COUNT

type Members = Mapping[str, Raw]

NONE = Raw(b"null")

_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_string = msgspec.json.Decoder(str)
_number = msgspec.json.Decoder(int | float)
_failures = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def values_in(body: bytes) -> Sequence[Members]:
    """The objects of a body that is one, or an array of them. Raises `Malformed`, also for anything else in it."""
    try:
        text = (
            body if body.isascii() else body.decode().encode()
        )  # what is not read is not looked at otherwise
        return _objects(text)
    except _failures:
        pass
    try:
        return _objects(lenient.encode(lenient.loads(body)))
    except lenient.Undecodable as error:
        raise Malformed(f"the provider sent {error}") from None
    except _failures:
        raise Malformed("the provider sent no JSON object") from None


def object_in(body: bytes) -> Members:
    """The one object of a body. Raises `Malformed`."""
    found = values_in(body)
    if len(found) != 1:
        raise Malformed("the provider sent no JSON object")
    return found[0]


def renamed(found: Members, name: str, value: str) -> bytes:
    """The object on one line, with a member set to a text and the rest as it was."""
    return one_line({**found, name: splice.raw(value)})


def one_line(found: Members) -> bytes:
    """The object on one line."""
    payload = splice.assemble(found)
    for line_end in (b"\n", b"\r"):  # outside of strings they are white space, inside there are none
        payload = payload.replace(line_end, b" ")
    return payload


def members(value: Raw | None) -> Members:
    """The members of an object; none where it is something else."""
    return _tolerated(_object, value) or {}


def items(value: Raw | None) -> Sequence[Raw]:
    """The items of an array; none where it is something else."""
    return _tolerated(_array, value) or ()


def text(value: Raw | None) -> str:
    """A text without lone surrogates; empty where it is something else."""
    if (plain := _tolerated(_string, value)) is not None:
        return plain
    if value is None or bytes(memoryview(value)[:1]) != b'"':
        return ""
    try:
        cleaned = lenient.loads(bytes(value))
    except lenient.Undecodable:
        return ""
    return cleaned if isinstance(cleaned, str) else ""


def number(value: Raw | None) -> float | None:
    """A number, not necessarily finite; `None` where it is something else."""
    return _tolerated(_number, value)


def count(value: Raw | None) -> int | None:
    """A count; `None` for one that cannot be true."""
    return counted(number(value))


def counted(found: object) -> int | None:
    """A decoded value as a count; `None` for one that cannot be true."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= MAX_COUNT:
        return None
    whole = int(found)
    return whole if whole == found else None


def is_true(value: Raw | None) -> bool:
    """Whether it is `true`."""
    return value is not None and bytes(value) == b"true"


def is_said(value: Raw | None) -> bool:
    """Whether it is there and not `null`."""
    return value is not None and bytes(value) not in (b"", b"null")


def json_text(value: Raw) -> JsonText:
    """A value as JSON text, spelled as it was but for line separators, which are escaped, and lone surrogates."""
    data = bytes(value)
    if b"\\u" in data:
        try:
            msgspec.json.decode(data)
        except _failures:
            data = lenient.encode(lenient.loads(data))
    return lenient.escape_separators(data).decode()


def _objects(body: bytes) -> Sequence[Members]:
    body = body.strip(b" \t\r\n")
    if not body.startswith(b"["):
        return (_object.decode(body),)
    return tuple(_object.decode(item) for item in _array.decode(body))


def _tolerated[T](decoder: msgspec.json.Decoder[T], value: Raw | None) -> T | None:
    try:
        return None if value is None else decoder.decode(value)
    except _failures:
        return None
