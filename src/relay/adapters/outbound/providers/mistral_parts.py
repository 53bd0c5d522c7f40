"""Content that Mistral has other parts for than OpenAI: documents and thoughts, rewritten in a body's messages.

https://docs.mistral.ai/capabilities/document_ai/ and https://docs.mistral.ai/capabilities/reasoning/.
"""

from collections.abc import Iterator

import msgspec

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Members
from relay.adapters.dialects.splice import assemble, raw, top_level

_raws = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)
_TOUCHED = (b'"file"', b'"reasoning_content"')


def rewritten(messages: msgspec.Raw) -> msgspec.Raw:
    """The messages with `document_url` parts for files and `thinking` parts for thoughts; odd ones as they are."""
    if not any(word in bytes(messages) for word in _TOUCHED):
        return messages
    try:
        return raw([_message(message) for message in _raws.decode(messages)])
    except msgspec.MsgspecError:
        return messages


def _message(message: msgspec.Raw) -> msgspec.Raw:
    try:
        members = top_level(bytes(message))
        thought = members.pop("reasoning_content", None)
        parts = [*_thinking(thought), *(_part(part) for part in _parts(members.get("content")))]
    except (lenient.Undecodable, msgspec.MsgspecError):
        return message
    if thought is None and not isinstance(_value(members.get("content")), list):
        return message
    return msgspec.Raw(assemble({**members, "content": raw(parts)}))


def _thinking(thought: msgspec.Raw | None) -> Iterator[msgspec.Raw]:
    if thought is not None:
        yield raw({"type": "thinking", "thinking": [{"type": "text", "text": _text.decode(thought)}]})


def _parts(content: msgspec.Raw | None) -> list[msgspec.Raw]:
    match _value(content):
        case str() as text:
            return [raw({"type": "text", "text": text})] if text else []
        case list() as parts:
            return parts
        case _:
            return []


def _value(content: msgspec.Raw | None) -> str | list[msgspec.Raw] | None:
    """Content as a text or as parts that are not taken apart."""
    if content is None or bytes(content) == b"null":
        return None
    return _text.decode(content) if bytes(content).startswith(b'"') else _raws.decode(content)


def _part(part: msgspec.Raw) -> msgspec.Raw:
    members = top_level(bytes(part))
    if bytes(members.get("type", b"")) != b'"file"':
        return part
    source: Members = top_level(bytes(members.get("file", b"{}")))
    document: Members = {"type": raw("document_url")}
    if (address := source.get("file_data")) is not None:
        document["document_url"] = address
    if (name := source.get("filename")) is not None:
        document["document_name"] = name
    return msgspec.Raw(assemble(document)) if "document_url" in document else part
