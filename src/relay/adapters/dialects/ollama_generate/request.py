"""Requests from callers: a prompt as a conversation of one turn, and what makes it more than that."""

from dataclasses import replace
from typing import Literal

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Envelope
from relay.adapters.dialects.ollama_chat import options
from relay.adapters.dialects.ollama_chat.reading import given, read
from relay.adapters.dialects.ollama_chat.request import decode_call, inline_image
from relay.adapters.dialects.ollama_generate import wire
from relay.adapters.dialects.ollama_generate.prompt import Prompt
from relay.domain.chat import ChatRequest, Completion, DialectName
from relay.domain.errors import InvalidRequest

NAME: DialectName = "ollama.generate"

RAW_CONFLICT = "raw mode does not support template, system, or context"
"""Ollama's own words."""

_request = msgspec.json.Decoder(wire.GenerateRequest)
_outline = msgspec.json.Decoder(wire.GenerateOutline)


def peek(body: bytes) -> Envelope:
    """The envelope; `message_bytes` is 0 for a call that only loads or unloads. Raises `InvalidRequest`."""
    asked = _outlined(body)
    _check_model(asked.model)
    return Envelope(
        model=asked.model or "",
        stream=asked.stream is not False,
        include_usage=True,
        message_bytes=_said_bytes(asked),
    )


def load_or_unload(body: bytes) -> Literal["load", "unload"] | None:
    """What a call without a prompt wants: the model loaded or, with a `keep_alive` of exactly 0, unloaded.

    `None` for a call that has a prompt. Raises `InvalidRequest`.
    """
    asked = _outlined(body)
    if _said_bytes(asked):
        return None
    return "unload" if options.keep_alive_s(asked.keep_alive) == 0 else "load"


def decode_request(body: bytes) -> ChatRequest:
    """The neutral request. Raises `InvalidRequest`. No prompt is legal: the call loads or unloads."""
    asked, unknown = read(_request, wire.GenerateRequest, body)
    _check_model(asked.model)
    if asked.raw and (asked.template or asked.system or asked.context):
        raise InvalidRequest(RAW_CONFLICT, param="raw")
    prompt = Prompt(
        system=asked.system or "",
        text=asked.prompt or "",
        images=tuple(inline_image(data) for data in asked.images or ()),
    )
    own = {"template": asked.template or None, "context": asked.context or None}
    unknown |= {name: Raw(lenient.encode(value)) for name, value in own.items() if value is not None}
    is_completion = bool(asked.suffix or asked.raw)
    return replace(
        decode_call(NAME, asked, unknown),
        messages=prompt.messages(),
        completion=Completion(suffix=asked.suffix or "", raw=bool(asked.raw)) if is_completion else None,
    )


def _outlined(body: bytes) -> wire.GenerateOutline:
    return read(_outline, wire.GenerateOutline, body)[0]


def _check_model(model: str | None) -> None:
    """To this route of Ollama's no name is an unknown name."""
    if not model:
        raise InvalidRequest("model '' not found", code="model_not_found", param="model", status=404)


def _said_bytes(asked: wire.GenerateOutline) -> int:
    prompt, suffix, system = (given(text)[1:-1] for text in (asked.prompt, asked.suffix, asked.system))
    return len(prompt) + len(suffix) + len(system) if prompt else 0
