"""A conversation put the way this dialect wants it, as a pure step between canonical messages.

Each tool result becomes a message of its own that names the call it answers; images in results, for which a
tool message has no room, follow in a user message after the run of results; what a message can hold only once
is joined. The encoder writes the outcome down one to one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from relay.adapters.dialects.openai_chat.ids import distinct, fitting
from relay.adapters.dialects.openai_chat.images import typed
from relay.domain.chat import Image, Message, Part, Refusal, Text, Thinking, ToolCall, ToolResult

IMAGE_NOTE = "The result is the image in the next message."
"""What stands in a tool message whose result is an image and no text: providers refuse empty results."""


def arranged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same conversation in this dialect's order, every call and result with an id; a fixed point."""
    return tuple(_arranged(messages))


def _arranged(messages: Sequence[Message]) -> Iterator[Message]:
    binder = _Binder(messages)
    images: list[Image] = []
    for turn, message in enumerate(messages):
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield Message(role="tool", parts=(_text_only(binder.result(part)),))
                images += [typed(inner) for inner in part.parts if isinstance(inner, Image)]
            else:
                rest.append(binder.call(part, turn) if isinstance(part, ToolCall) else part)
        if rest or (message.role != "tool" and len(message.parts) == 0):
            if images:
                yield Message(role="user", parts=tuple(images))
                images.clear()
            role = "user" if message.role == "tool" else message.role
            yield Message(role=role, parts=_joined(rest), name=message.name or None)
    if images:
        yield Message(role="user", parts=tuple(images))


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Thinking, content, refusal, calls: the first and the third joined to one, empty texts left out."""
    thinking = "".join(part.text for part in parts if isinstance(part, Thinking))
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    joined: list[Part] = [Thinking(text=thinking)] if thinking else []
    for part in parts:
        match part:
            case Thinking() | Refusal() | ToolCall() | Text(text=""):
                pass
            case Image():
                joined.append(typed(part))
            case _:
                joined.append(part)
    if refusal:
        joined.append(Refusal(text=refusal))
    return (*joined, *(part for part in parts if isinstance(part, ToolCall)))


def _text_only(result: ToolResult) -> ToolResult:
    texts = tuple(part for part in result.parts if isinstance(part, Text) and part.text)
    if not texts and any(isinstance(part, Image) for part in result.parts):
        texts = (Text(text=IMAGE_NOTE),)
    return replace(result, parts=texts, is_error=False)


@dataclass(slots=True)
class _OpenCall:
    asked: str
    written: str
    name: str
    turn: int
    is_answered: bool = False


class _Binder:
    """Gives each call a distinct id and each result the id of its call, in the order of the conversation.

    A made-up id counts the calls so far, so that it does not change when the conversation goes on: providers
    cache by prefix.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        parts = [part for message in messages for part in message.parts]
        self._reserved = {part.id for part in parts if isinstance(part, ToolCall)}
        self._reserved |= {part.call_id for part in parts if isinstance(part, ToolResult)}
        self._written: set[str] = set()
        self._calls: list[_OpenCall] = []

    def call(self, call: ToolCall, turn: int) -> ToolCall:
        """The call with an id that no other has, and with arguments."""
        written = distinct(fitting(call.id), self._written) if call.id else self._made_up()
        self._calls.append(_OpenCall(call.id, written, call.name, turn))
        return replace(call, id=written, arguments=call.arguments or "{}")

    def result(self, result: ToolResult) -> ToolResult:
        """The result with its call's id and name: found by id, else by name, else by order."""
        answered = self._by_id(result.call_id) if result.call_id else self._by_order(result.name)
        if answered is None:
            return replace(result, call_id=fitting(result.call_id) or self._made_up(), name="")
        answered.is_answered = True
        return replace(result, call_id=answered.written, name=answered.name)

    def _by_id(self, call_id: str) -> _OpenCall | None:
        """Of several calls with this id the first that waits, else the last: some models restart ids each turn."""
        known = [call for call in self._calls if call.asked == call_id]
        return next((call for call in known if not call.is_answered), known[-1] if known else None)

    def _by_order(self, name: str) -> _OpenCall | None:
        waiting = sorted(
            (call for call in self._calls if not call.is_answered), key=lambda call: call.turn, reverse=True
        )
        return next((call for call in waiting if call.name == name), waiting[0] if waiting else None)

    def _made_up(self) -> str:
        made_up = distinct(f"call_{len(self._calls) + 1}", self._reserved | self._written)
        self._written.add(made_up)
        return made_up
