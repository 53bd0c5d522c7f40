"""Reads the small JSON bodies of Ollama's routes as leniently as its server: keys in any case, null as absent."""

from collections.abc import Mapping

import msgspec

from relay.adapters.dialects import lenient
from relay.domain.errors import InvalidRequest, TooLarge

type Members = Mapping[str, object]
"""By lower-case name."""

MAX_SMALL_BODY_BYTES = 1024 * 1024
"""Names, flags, a licence text: what is decoded as a whole may cost some thirty times its size in memory."""

_anything = msgspec.json.Decoder()


def read_members(body: bytes) -> Members:
    """What the body says; of a value that is no object, nothing. Raises `InvalidRequest` and `TooLarge`."""
    if not body.strip():
        raise InvalidRequest("missing request body")
    if len(body) > MAX_SMALL_BODY_BYTES:
        raise TooLarge(f"the request's body is over this route's limit of {MAX_SMALL_BODY_BYTES} bytes")
    try:
        said = lenient.decode(_anything, lambda value: value, lenient.in_utf8(body), first_value_only=True)
    except lenient.Undecodable as error:
        raise InvalidRequest(str(error)) from None
    if not isinstance(said, dict):
        return {}
    return {key.lower(): value for key, value in said.items() if value is not None}


def text_of(members: Members, *names: str) -> str:
    """The first of these members that is a text with something in it; empty when none is."""
    texts = (value.strip() for name in names if isinstance(value := members.get(name), str))
    return next(filter(None, texts), "")


def is_streamed(members: Members) -> bool:
    """Whether progress is wanted line by line, as it is unless told otherwise. Raises `InvalidRequest`."""
    match members.get("stream", True):
        case bool(stream):
            return stream
        case _:
            raise InvalidRequest("stream must be true or false", param="stream")
