"""A client's own body: what is read before it is known who serves it, and the same body aimed at a provider."""

import re
from collections.abc import Callable

import msgspec

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import EditMembers, Envelope, WireRequest
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.passing import passable
from relay.domain.errors import InvalidRequest

PATH = "/chat/completions"

_peeked = msgspec.json.Decoder(wire.Peeked, strict=False)
_flag = msgspec.json.Decoder(bool, strict=False)
_PLACE = re.compile(r" - at `\$\.?(?:\[\.\.\.\])?([^`]*)`")


def peek(body: bytes) -> Envelope:
    """The envelope of a request. Raises `InvalidRequest`."""
    peeked = regular(body, _peeked.decode)
    check_utf8(body)
    if not peeked.model:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    options = peeked.stream_options
    return Envelope(
        model=peeked.model,
        stream=bool(peeked.stream),
        include_usage=bool(peeked.stream and options is not None and options.include_usage),
        message_bytes=0 if peeked.messages == wire.NULL else len(peeked.messages),
    )


def retarget(body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None) -> WireRequest:
    """The body with `model` replaced and, if it asks for a stream, usage asked for. Raises `InvalidRequest`.

    What OpenAI would refuse though clients send it is taken out: see `passable`.
    """
    members = passable(regular(body, splice.top_level))
    members["model"] = splice.raw(model)
    if count_usage and _is_on(members.get("stream")):
        members["stream_options"] = _with_usage(members.get("stream_options", wire.NULL))
    return splice.edited(members, edit, PATH)


def regular[T](body: bytes, decode: Callable[[bytes], T]) -> T:
    """`decode(body)`; a body that is irregular JSON is cleaned first. Raises `InvalidRequest`."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (lenient.Undecodable, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decode(lenient.encode(lenient.loads(body, finite=True)))
    except RecursionError:
        raise InvalidRequest("the body's JSON is nested too deeply") from None
    except (lenient.Undecodable, msgspec.MsgspecError) as error:
        raise _invalid(str(error)) from None


def check_utf8(body: bytes) -> None:
    """Raises `InvalidRequest` when the body is not UTF-8: what is only passed on is not looked at otherwise."""
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not valid UTF-8 (byte {error.start})") from None


def _invalid(text: str) -> InvalidRequest:
    """The codec's complaint; it names types and places, never values."""
    place = _PLACE.search(text)
    if place is None:
        return InvalidRequest(f"the body is not a valid request: {text}")
    param = place.group(1) or None
    message = f"invalid value for {param!r}: {text[: place.start()]}" if param else text[: place.start()]
    return InvalidRequest(message, code="invalid_value", param=param)


def _is_on(flag: msgspec.Raw | None) -> bool:
    try:
        return flag is not None and _flag.decode(flag)
    except msgspec.ValidationError:
        return False


def _with_usage(options: msgspec.Raw) -> msgspec.Raw:
    try:
        members = splice.top_level(bytes(options))
    except lenient.Undecodable:  # null, or no object
        members = {}
    members["include_usage"] = splice.raw(value=True)
    return msgspec.Raw(splice.assemble(members))
