"""A conversation put the way this dialect wants it, as a pure step between canonical messages.

What the model has said and done stands in one assistant message per run; each tool result is a message of its own
that names the call it answers. Reasoning goes back only under this dialect's own seal: without it the API refuses
it, and the text is no part of the prompt. The encoder writes the outcome down one to one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import assert_never

from relay.adapters.dialects.foreign import unmarked
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.openai_chat.arranging import arranged as arranged_chat
from relay.adapters.dialects.openai_chat.images import split, typed
from relay.adapters.dialects.openai_responses.content import NAME
from relay.domain.chat import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

_EMPTY = (Text(text=""), Refusal(text=""))


def arranged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same conversation in this dialect's order, every call and result with an id; a fixed point."""
    merged: list[Message] = []
    for message in _bound([turn for each in messages for turn in _turns(each)]):
        if merged and merged[-1].role == message.role == "assistant":
            merged[-1] = replace(merged[-1], parts=merged[-1].parts + message.parts)
        else:
            merged.append(message)
    return tuple(merged)


def goes_back(thinking: Thinking) -> bool:
    """Whether a provider of this dialect can be told again what it thought."""
    return thinking.origin == NAME and bool(thinking.sealed)


def _turns(message: Message) -> Iterator[Message]:
    """A message as runs of parts that belong to one role, without what cannot be carried."""
    if not message.parts and message.role != "tool":
        yield Message(role=message.role, parts=())
    kept = [settled_part for part in message.parts if (settled_part := _settled(part)) is not None]
    for role, run in groupby(kept, lambda part: _role_of(part, message.role)):
        parts = tuple(run)
        if role == "tool":
            yield from (Message(role="tool", parts=(result,)) for result in parts)
        else:
            yield Message(role=role, parts=parts)


def _role_of(part: Part, role: Role) -> Role:
    match part:
        case ToolResult():
            return "tool"
        case Thinking() | ToolCall() | Refusal():
            return "assistant"
        case Image() | Audio() | File() if role == "assistant":
            return "user"
        case Text() | Image() | Audio() | File():
            return "user" if role == "tool" else role
        case Opaque():
            return "assistant" if role == "tool" else role
        case _:
            assert_never(part)


def _settled(part: Part) -> Part | None:
    """The part as it is read back; `None` when it is left out."""
    match part:
        case Image():
            return replace(typed(part), cache=None)
        case File():
            return replace(split(part), cache=None)
        case Thinking():
            return replace(part, signature="") if goes_back(part) else None
        case Opaque(origin=origin, json=json):
            return replace(part, json=settled(json)) if origin == NAME else None
        case ToolCall():
            return unmarked(part if part.arguments or part.freeform else replace(part, arguments="{}"))
        case ToolResult():
            return replace(part, parts=tuple(_settled_result(part)), is_error=False, cache=None)
        case Text() | Refusal() | Audio():
            kept = unmarked(part)
            return None if kept in _EMPTY else replace(kept, citations=()) if isinstance(kept, Text) else kept
        case _:
            assert_never(part)


def _settled_result(result: ToolResult) -> Iterator[Text | Image | File]:
    for part in result.parts:
        settled_part = _settled(part)
        if isinstance(settled_part, Text | Image | File):
            yield settled_part


def _bound(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages with the ids that OpenAI's chat would give their calls and results, which has the same rules."""
    tied = [
        Message(role="tool" if message.role == "tool" else "assistant", parts=deeds)
        for message in messages
        if (deeds := tuple(part for part in message.parts if isinstance(part, ToolCall | ToolResult)))
    ]
    bound = [part for message in arranged_chat(tied) for part in message.parts]
    calls = iter([part for part in bound if isinstance(part, ToolCall)])
    results = iter([part for part in bound if isinstance(part, ToolResult)])
    for message in messages:
        yield replace(message, parts=tuple(_tied(part, calls, results) for part in message.parts))


def _tied(part: Part, calls: Iterator[ToolCall], results: Iterator[ToolResult]) -> Part:
    match part:
        case ToolCall():
            return replace(part, id=next(calls).id)
        case ToolResult():
            bound = next(results)
            return replace(part, call_id=bound.call_id, name=bound.name)
        case _:
            return part
