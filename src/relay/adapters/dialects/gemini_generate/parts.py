"""Parts of messages between the wire and canonical form, one for one."""

from collections.abc import Iterator, Mapping
from typing import assert_never

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.gemini_generate import wire
from relay.adapters.dialects.gemini_generate.arranging import elsewhere, inline
from relay.adapters.dialects.gemini_generate.reading import NAME
from relay.adapters.dialects.members import json_text
from relay.adapters.dialects.ollama_chat.calls import object_text
from relay.domain.chat import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.errors import Unsupported

STAND_IN = "skip_thought_signature_validator"
"""Takes the place of a signature that was lost (https://ai.google.dev/gemini-api/docs/thought-signatures)."""

_part = msgspec.json.Decoder(wire.Part, strict=False)
_response = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()

_MARKS = frozenset({"text", "thought", "thoughtSignature"})
_KNOWN: Mapping[str, str] = {
    "inlineData": "inline_data",
    "fileData": "file_data",
    "functionCall": "function_call",
    "functionResponse": "function_response",
}
_OWN_FILE = ("https://", "http://", "gs://", "files/")


def decode_part(raw: Raw) -> Part:
    """A part; one of a kind that has no canonical form is opaque. Raises `msgspec.ValidationError`."""
    members = _response.decode(raw)
    if members.keys() - _MARKS - _KNOWN.keys():
        return Opaque(origin=NAME, json=object_text(json_text(raw)))
    part = _part.decode(raw)
    signature = part.thought_signature or ""
    if (call := part.function_call) is not None:
        return ToolCall(
            id=call.id or "",
            name=call.name,
            arguments=object_text("" if call.args == wire.NONE else json_text(call.args)),
            signature="" if signature == STAND_IN else signature,
        )
    if (answer := part.function_response) is not None:
        return _result(answer)
    if part.inline_data is not None:
        return inline(part.inline_data.mime_type, part.inline_data.data)
    if part.file_data is not None:
        return elsewhere(part.file_data.mime_type, part.file_data.file_uri)
    if part.thought:
        return Thinking(text=part.text or "", signature=signature, origin=NAME)
    return Text(text=part.text or "", signature=signature)


def encode_message(message: Message, *, signed_calls: bool) -> Iterator[Raw]:
    """The parts of an arranged message. With `signed_calls` the first call has a signature in any case.

    Raises `Unsupported` for a file that another provider keeps.
    """
    needs_signature = signed_calls
    for part in message.parts:
        if isinstance(part, ToolCall):
            yield _encoded(_call(part, STAND_IN if needs_signature else ""))
            needs_signature = False
        elif isinstance(part, Opaque):
            yield Raw(part.json.encode())
        else:
            yield _encoded(_written(part))


def _written(part: Text | Image | Audio | File | Thinking | Refusal | ToolResult) -> wire.Part:
    match part:
        case Text():
            return wire.Part(text=part.text, thought_signature=part.signature or None)
        case Thinking():
            return wire.Part(text=part.text, thought=True, thought_signature=part.signature or None)
        case Refusal():
            return wire.Part(text=part.text)
        case Audio():
            return wire.Part(inline_data=wire.Blob(mime_type=f"audio/{part.format}", data=part.data))
        case ToolResult():
            return wire.Part(function_response=_answer(part))
        case Image() | File():
            if part.data:
                return wire.Part(inline_data=_blob(part))
            if not part.url.startswith(_OWN_FILE):
                raise Unsupported(
                    "this provider does not keep that file: send it inline, or by its address",
                    param="messages",
                )
            return wire.Part(file_data=wire.FileData(file_uri=part.url, mime_type=part.media_type))
        case _:
            assert_never(part)


def _blob(part: Image | File) -> wire.Blob:
    return wire.Blob(mime_type=part.media_type or "", data=part.data)


def _call(call: ToolCall, stand_in: str) -> wire.Part:
    called = wire.FunctionCall(name=call.name, args=Raw(call.arguments.encode()), id=call.id or None)
    return wire.Part(function_call=called, thought_signature=call.signature or stand_in or None)


def _answer(result: ToolResult) -> wire.FunctionResponse:
    said = "".join(part.text for part in result.parts if isinstance(part, Text))
    media = [part for part in result.parts if not isinstance(part, Text)]
    return wire.FunctionResponse(
        id=result.call_id or None,
        name=result.name,
        response=Raw(lenient.encode({"error" if result.is_error else "output": said})),
        parts=[wire.FunctionResponsePart(inline_data=_blob(part)) for part in media] or None,
    )


def _result(answer: wire.FunctionResponse) -> ToolResult:
    said, is_error = _said(answer.response)
    texts = (Text(text=said),) if said else ()
    blobs = [part.inline_data for part in answer.parts or () if part.inline_data is not None]
    media = [inline(blob.mime_type, blob.data) for blob in blobs]
    shown = tuple(part for part in media if isinstance(part, Image | File))
    return ToolResult(call_id=answer.id or "", name=answer.name, parts=(*texts, *shown), is_error=is_error)


def _said(response: Raw) -> tuple[str, bool]:
    """The text of a result, and whether it tells of an error; what is not wrapped text stays JSON."""
    if response == wire.NONE:
        return "", False
    members = _response.decode(response)
    for name, is_error in (("output", False), ("error", True)):
        if members.keys() == {name} and bytes(members[name]).startswith(b'"'):
            return _text.decode(members[name]), is_error
    return json_text(response), False


def _encoded(part: wire.Part) -> Raw:
    return Raw(_encoder.encode(part))
