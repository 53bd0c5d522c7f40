"""Short ways to ask in Anthropic's dialect, and to see what is written in it."""

import json
from typing import Any

from relay.adapters.dialects.anthropic_messages import DIALECT
from relay.domain.chat import (
    ChatRequest,
    Message,
    Part,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)

HELLO: list[Any] = [{"role": "user", "content": "hi"}]
ASKED = Message(role="user", parts=(Text(text="hi"),))
TOOL = ToolSpec(name="f")


def decoded(**members: Any) -> ChatRequest:
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": HELLO, **members}
    return DIALECT.decode_request(json.dumps(body).encode())


def parts_of(*blocks: Any, role: str = "user") -> tuple[Part, ...]:
    return decoded(messages=[{"role": role, "content": list(blocks)}]).messages[0].parts


def encoded(*messages: Message, model: str = "claude-sonnet-4-5", **asked: Any) -> Any:
    return json.loads(DIALECT.encode_request(ChatRequest(model=model, messages=messages, **asked)).body)


def losses(*messages: Message, model: str = "claude-sonnet-4-5", **asked: Any) -> tuple[str, ...]:
    return DIALECT.encode_request(ChatRequest(model=model, messages=messages or (ASKED,), **asked)).losses


def turns(*messages: Message, model: str = "claude-sonnet-4-5") -> list[tuple[str, Any]]:
    return [(turn["role"], turn["content"]) for turn in encoded(*messages, model=model)["messages"]]


def call(call_id: str) -> ToolCall:
    return ToolCall(id=call_id, name="f", arguments="{}")


def answered(call_id: str, text: str = "r") -> Message:
    return Message(role="tool", parts=(ToolResult(call_id=call_id, name="f", parts=(Text(text=text),)),))
