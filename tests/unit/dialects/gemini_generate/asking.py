"""Requests to Gemini, and what leaves for it."""

import json
from typing import Any

from relay.adapters.dialects.gemini_generate import DIALECT
from relay.domain.chat import ChatRequest, Message, Part, Role, Text


def turn(role: Role, *parts: Part) -> Message:
    return Message(role=role, parts=parts)


HI = turn("user", Text(text="hi"))


def asked(*messages: Message, model: str = "gemini-3-flash", **settings: Any) -> ChatRequest:
    return ChatRequest(model=model, messages=messages or (HI,), **settings)


def sent(request: ChatRequest) -> Any:
    return json.loads(DIALECT.encode_request(request).body)


def losses(*messages: Message, **settings: Any) -> tuple[str, ...]:
    return DIALECT.encode_request(asked(*messages, **settings)).losses
