"""Requests from callers: what is asked, by the rules of real Ollama, in the neutral form."""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import msgspec
from msgspec import Raw

from relay.adapters.dialects.base import Envelope, check_items
from relay.adapters.dialects.ollama_chat import options, wire
from relay.adapters.dialects.ollama_chat.history import settled, sniffed_media_type
from relay.adapters.dialects.ollama_chat.reading import Members, chat_request, given, outline
from relay.domain.chat import (
    ChatRequest,
    DialectName,
    Image,
    JsonText,
    Message,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from relay.domain.errors import InvalidRequest

NAME: DialectName = "ollama.chat"

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "tool": "tool",
}
"""Ollama hands any other word to the model's template; here it is a user's, the role that may least."""

_EXTRAS = ("keep_alive", "truncate", "shift")

_part = msgspec.json.Decoder(wire.ContentPart)
_image_url = msgspec.json.Decoder(str | wire.ImageUrl)
_pictured = msgspec.json.Decoder(list[wire.Pictured])
_string = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()


def peek(body: bytes) -> Envelope:
    """The envelope; `message_bytes` leaves images out and is 0 for a call that only loads or unloads."""
    read = outline(body)
    if not read.model:
        raise InvalidRequest("model is required", param="model")
    return Envelope(
        model=read.model,
        stream=read.stream is not False,
        include_usage=True,
        message_bytes=_spoken_bytes(given(read.messages)),
    )


def load_or_unload(body: bytes) -> Literal["load", "unload"] | None:
    """What a call without messages wants: the model loaded or, with a `keep_alive` of exactly 0, unloaded.

    `None` for a call that has messages. Raises `InvalidRequest`.
    """
    read = outline(body)
    if _spoken_bytes(given(read.messages)):
        return None
    return "unload" if options.keep_alive_s(read.keep_alive) == 0 else "load"


def decode_request(body: bytes) -> ChatRequest:
    """The neutral request. Raises `InvalidRequest`. No messages are legal: the call loads or unloads."""
    read, unknown = chat_request(body)
    if not read.model:
        raise InvalidRequest("model is required", param="model")
    messages = read.messages or ()
    check_items(messages, read.tools, *_inner_lists(messages))
    return replace(
        decode_call(NAME, read, unknown),
        messages=settled([_message(message) for message in messages]),
        tools=tuple(_tool(tool) for tool in read.tools or ()),
    )


def _inner_lists(messages: Iterable[wire.Message]) -> Iterator[Sequence[object] | None]:
    for message in messages:
        yield message.tool_calls
        yield message.images
        if isinstance(message.content, list):
            yield message.content


def decode_call(dialect: DialectName, read: wire.Call, unknown: Members) -> ChatRequest:
    """What any call of Ollama's says but its words to the model; `unknown` and the like are extras of `dialect`.

    Raises `InvalidRequest`.
    """
    options.keep_alive_s(read.keep_alive)
    sampling, other_options = options.read_options(
        read.options or {}, logprobs=read.logprobs, top_logprobs=read.top_logprobs
    )
    extras = _extras(read, unknown, other_options)
    return ChatRequest(
        model=read.model or "",
        messages=(),
        sampling=sampling,
        output=options.read_format(read.format),
        reasoning=options.read_think(read.think),
        stream=read.stream is not False,
        extras={dialect: extras} if extras else {},
    )


def inline_image(data: str) -> Image:
    """An image out of bare base64, as Ollama wants it, or out of a data URI. Raises `InvalidRequest`."""
    if data.startswith("data:"):
        data = data.partition(",")[2]
    if "\n" in data or "\r" in data:
        data = data.replace("\r", "").replace("\n", "")
    try:
        empty = not b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        empty = True
    if empty:
        raise InvalidRequest("an image is not valid base64 data", param="images")
    return Image(data=data, media_type=sniffed_media_type(data))


def _spoken_bytes(messages: bytes) -> int:
    if not messages[1:-1].strip():
        return 0
    if b'"images"' not in messages:
        return len(messages)
    try:
        pictured = _pictured.decode(messages)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return len(messages)
    return len(messages) - sum(len(given(message.images)) for message in pictured)


def _extras(read: wire.Call, unknown: Members, other_options: Members) -> dict[str, JsonText]:
    members = {name: getattr(read, name) for name in _EXTRAS}
    members["_debug_render_only"] = read.debug_render_only
    if other_options:
        members["options"] = Raw(_encoder.encode(other_options))
    return {name: options.json_text(value) for name, value in (members | unknown).items() if given(value)}


def _tool(tool: wire.Tool) -> ToolSpec:
    function = tool.function
    return ToolSpec(
        name=function.name,
        description=function.description,
        parameters=options.json_text(function.parameters) if given(function.parameters) else "",
    )


def _message(message: wire.Message) -> Message:
    role = _ROLES.get((message.role or "").lower(), "user")
    shown = (*_content(message.content), *(inline_image(data) for data in message.images or ()))
    if role == "tool":
        result = ToolResult(call_id=message.tool_call_id or "", name=message.tool_name or "", parts=shown)
        return Message(role=role, parts=(result,))
    thinking = (Thinking(text=message.thinking),) if message.thinking else ()
    calls = [_call(call) for call in message.tool_calls or ()]
    return Message(role=role, parts=(*thinking, *shown, *calls))


def _content(content: str | list[Raw] | None) -> list[Text | Image]:
    if isinstance(content, str):
        return [Text(text=content)]
    return [_content_part(raw) for raw in content or ()]


def _content_part(raw: Raw) -> Text | Image:
    try:
        part = _part.decode(raw)
        if part.type == "text":
            return Text(text=part.text or "")
        if part.type == "image_url":
            image_url = _image_url.decode(part.image_url)
            url = image_url if isinstance(image_url, str) else image_url.url
            return Image(url=url) if url.startswith(("http://", "https://")) else inline_image(url)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"a part of a message's content cannot be read: {error}") from None
    raise InvalidRequest("a part of a message's content is neither `text` nor `image_url`")


def _call(call: wire.ToolCall) -> ToolCall:
    function = call.function or wire.CalledFunction()
    arguments = given(function.arguments)
    try:
        text = _string.decode(arguments) if arguments.startswith(b'"') else arguments.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidRequest("the arguments of a tool call are not valid text") from None
    return ToolCall(id=call.id or "", name=function.name or "", arguments=text)
