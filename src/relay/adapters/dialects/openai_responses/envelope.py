"""A client's own body: what is read before it is known who serves it, and the same body aimed at a provider."""

import re

import msgspec

from relay.adapters.dialects import members as members_of
from relay.adapters.dialects import splice
from relay.adapters.dialects.base import EditMembers, Envelope, WireRequest
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.adapters.dialects.openai_responses import seals, wire
from relay.domain.errors import InvalidRequest, Unsupported

PATH = "/responses"

_ABSENT = re.compile(rb"null|\[\s*\]")

_peeked = msgspec.json.Decoder(wire.Peeked, strict=False)


def peek(body: bytes) -> Envelope:
    """The envelope of a request. Raises `InvalidRequest`, and `Unsupported` for what needs a provider's state."""
    peeked = regular(body, _peeked.decode)
    check_utf8(body)
    if not peeked.model:
        raise missing("model")
    if peeked.background:
        raise Unsupported("background responses are not supported: stream instead", param="background")
    for name, value in (("prompt", peeked.prompt), ("conversation", peeked.conversation)):
        if value != wire.NULL:
            raise Unsupported(f"{name} names what a provider keeps, which the relay does not", param=name)
    stream = bool(peeked.stream)
    texts = (text for text in (peeked.instructions, peeked.input) if text != wire.NULL)
    return Envelope(
        model=peeked.model, stream=stream, include_usage=stream, message_bytes=sum(map(len, texts))
    )


def retarget(body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None) -> WireRequest:
    """The body with `model` replaced, and not to be kept by the provider. Raises `InvalidRequest`.

    Usage is always told. Members that are null or empty lists are left out, as OpenAI refuses an empty list of
    tools, and so are what is almost called `model`, and reasoning under a seal that is another dialect's.
    """
    members = {
        name: value
        for name, value in regular(body, splice.top_level).items()
        if name == "input" or not (_ABSENT.fullmatch(value) or splice.is_other_spelling(name))
    }
    if seals.MARK.encode() in bytes(members.get("input", wire.NULL)):
        members["input"] = _without_foreign_thoughts(members["input"])
    members["model"] = splice.raw(model)
    members["store"] = splice.raw(value=False)
    return splice.edited(members, edit, PATH)


def _without_foreign_thoughts(value: msgspec.Raw) -> msgspec.Raw:
    items = [raw for raw in members_of.items(value) if not _is_foreign(members_of.members(raw))]
    return splice.raw(items) if items else value


def _is_foreign(item: members_of.Members) -> bool:
    return members_of.text(item.get("encrypted_content")).startswith(seals.MARK)


def missing(name: str) -> InvalidRequest:
    """A parameter that a request cannot do without."""
    return InvalidRequest(
        f"you must provide a {name} parameter", code="missing_required_parameter", param=name
    )
