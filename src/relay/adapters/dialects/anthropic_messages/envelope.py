"""A client's own body: what is read before it is known who serves it, and the same body aimed at a provider."""

import msgspec

from relay.adapters.dialects import splice
from relay.adapters.dialects.anthropic_messages import wire
from relay.adapters.dialects.anthropic_messages.families import default_max_tokens
from relay.adapters.dialects.base import EditMembers, Envelope, Members, WireRequest
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.errors import InvalidRequest

PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"

_peeked = msgspec.json.Decoder(wire.Peeked, strict=False)
_messages = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_blocks = msgspec.json.Decoder(list[msgspec.Raw])
_thought = msgspec.json.Decoder(wire.Block)


def peek(body: bytes) -> Envelope:
    """The envelope of a request; its stream always has usage. Raises `InvalidRequest`."""
    peeked = regular(body, _peeked.decode)
    check_utf8(body)
    if not peeked.model:
        raise InvalidRequest("model: Field required", param="model")
    said = (text for text in (peeked.system, peeked.messages) if text != wire.NULL)
    return Envelope(
        model=peeked.model,
        stream=bool(peeked.stream),
        include_usage=bool(peeked.stream),
        message_bytes=sum(map(len, said)),
    )


def retarget(body: bytes, model: str, edit: EditMembers | None = None) -> WireRequest:
    """The body with `model` replaced, and a limit where it names none. Raises `InvalidRequest`.

    Thoughts without a seal, as other providers' reach the client, are taken out: Anthropic refuses them.
    """
    members = _retargeted(body, model)
    if members.get("max_tokens", wire.NULL) == wire.NULL:
        members["max_tokens"] = splice.raw(default_max_tokens(model))
    return splice.edited(members, edit, PATH)


def retarget_count(body: bytes, model: str) -> WireRequest:
    """The same for a count of tokens, which takes no limit. Raises `InvalidRequest`."""
    members = _retargeted(body, model)
    members.pop("max_tokens", None)
    members.pop("stream", None)
    return WireRequest(path=COUNT_PATH, body=splice.assemble(members))


def _retargeted(body: bytes, model: str) -> Members:
    members = {
        name: value
        for name, value in regular(body, splice.top_level).items()
        if not splice.is_other_spelling(name)
    }
    members["model"] = splice.raw(model)
    if b'"signature"' in body and (messages := members.get("messages")) is not None:
        members["messages"] = _sealed_only(messages)
    return members


def _sealed_only(value: msgspec.Raw) -> msgspec.Raw:
    """The messages without thoughts that have no seal; what is odd is left to the provider."""
    try:
        messages = _messages.decode(value)
        kept = [_thoughtless(message) for message in messages]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return value
    if all(one is other for one, other in zip(messages, kept, strict=True)):
        return value
    return splice.raw([message for message in kept if message is not None])


def _thoughtless(message: Members) -> Members | None:
    """`None` for a message that was nothing but such thoughts."""
    content = message.get("content", wire.NULL)
    if not bytes(content).startswith(b"["):
        return message
    blocks = _blocks.decode(content)
    kept = [block for block in blocks if not _is_unsealed(block)]
    if len(kept) == len(blocks):
        return message
    return {**message, "content": splice.raw(kept)} if kept else None


def _is_unsealed(block: msgspec.Raw) -> bool:
    try:
        read = _thought.decode(block)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return read.type == "thinking" and not read.signature
