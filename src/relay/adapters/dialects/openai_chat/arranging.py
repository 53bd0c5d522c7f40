"""A conversation put the way this dialect wants it, as a pure step between canonical messages.

Each tool result becomes a message of its own that names the call it answers; images and files in results, for
which a tool message has no room, follow in a user message after the run of results; what a message can hold only
once is joined. The encoder writes the outcome down one to one.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from relay.adapters.dialects.foreign import unmarked
from relay.adapters.dialects.freeform import as_json
from relay.adapters.dialects.openai_chat.ids import DistinctIds, fitting
from relay.adapters.dialects.openai_chat.images import split, typed
from relay.adapters.dialects.openai_chat.reasoning_details import joined_seal
from relay.domain.chat import (
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

IMAGE_NOTE = "The result is the image in the next message."
FILE_NOTE = "The result is the file in the next message."
"""What stands in a tool message whose result has no text: providers refuse empty results."""


def arranged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same conversation in this dialect's order, every call and result with an id; a fixed point."""
    return tuple(_arranged(messages))


def _arranged(messages: Sequence[Message]) -> Iterator[Message]:
    binder = Binder(messages)
    results: list[ToolResult] = []
    for message in messages:
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                results.append(part)
            elif not isinstance(part, Opaque):
                rest.append(unmarked(part))
        if rest or (message.role != "tool" and not message.parts):
            yield from _round(binder.bound(results))
            results.clear()
            role = "user" if message.role == "tool" else message.role
            yield Message(role=role, parts=_joined(binder.named(rest)), name=message.name or None)
    yield from _round(binder.bound(results))


def _round(results: Sequence[ToolResult]) -> Iterator[Message]:
    """The results of one round, and what images and files they hold."""
    for result in results:
        yield Message(role="tool", parts=(_text_only(result),))
    shown = [_settled(part) for result in results for part in result.parts if isinstance(part, Image | File)]
    if shown:
        yield Message(role="user", parts=tuple(shown))


def _settled(part: Image | File) -> Part:
    return unmarked(typed(part) if isinstance(part, Image) else split(part))


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Thinking, content, refusal, calls: the first and the third joined to one, empty texts left out."""
    thinking = "".join(part.text for part in parts if isinstance(part, Thinking))
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    seal = joined_seal(part for part in parts if isinstance(part, Thinking))
    joined: list[Part] = []
    if thinking or seal:
        joined.append(Thinking(text=thinking, sealed=seal, origin="openai.chat" if seal else None))
    for part in parts:
        match part:
            case Thinking() | Refusal() | ToolCall() | Text(text=""):
                pass
            case Image() | File():
                joined.append(_settled(part))
            case _:
                joined.append(part)
    if refusal:
        joined.append(Refusal(text=refusal))
    return (*joined, *(part for part in parts if isinstance(part, ToolCall)))


def _text_only(result: ToolResult) -> ToolResult:
    texts = tuple(Text(text=part.text) for part in result.parts if isinstance(part, Text) and part.text)
    if not texts and result.parts and not all(isinstance(part, Text) for part in result.parts):
        is_pictured = any(isinstance(part, Image) for part in result.parts)
        texts = (Text(text=IMAGE_NOTE if is_pictured else FILE_NOTE),)
    return replace(result, parts=texts, is_error=False, cache=None)


@dataclass(slots=True)
class _OpenCall:
    written: str
    name: str
    is_answered: bool = False


type _Tie = tuple[str, str]
"""What ties a result to a call: its id, the tool's name, or nothing but the order."""

_ORDER: _Tie = ("order", "")


class Binder:
    """Gives each call a distinct id and each result the id of its call, in the order of the conversation.

    `fit` makes an id one that the dialect takes, the same one each time. Made-up ids are numbered, so that they
    stay when the conversation goes on: providers cache by prefix. Calls wait in queues by tie, the latest turn's
    first, so that the work grows with the conversation and not with its square.
    """

    def __init__(self, messages: Sequence[Message], fit: Callable[[str], str] = fitting) -> None:
        self._fit = fit
        parts = [part for message in messages for part in message.parts]
        self._asked = {part.id for part in parts if isinstance(part, ToolCall)}
        self._asked |= {part.call_id for part in parts if isinstance(part, ToolResult)}
        self._ids = DistinctIds()
        self._made_count = 0
        self._waiting: defaultdict[_Tie, list[deque[_OpenCall]]] = defaultdict(list)
        self._last: dict[str, _OpenCall] = {}

    def named(self, parts: Sequence[Part]) -> list[Part]:
        """The parts of one turn, each call with an id that no other has, and with arguments."""
        named: list[Part] = []
        queues: defaultdict[_Tie, deque[_OpenCall]] = defaultdict(deque)
        for part in parts:
            if not isinstance(part, ToolCall):
                named.append(part)
                continue
            call = _OpenCall(self._ids.of(self._fit(part.id)) if part.id else self._made_up(), part.name)
            named.append(replace(as_json(part), id=call.written, arguments=as_json(part).arguments or "{}"))
            self._last[part.id] = call
            for tie in (("id", part.id), ("name", part.name), _ORDER):
                queues[tie].append(call)
        for tie, queue in queues.items():
            self._waiting[tie].append(queue)
        return named

    def bound(self, results: Sequence[ToolResult]) -> list[ToolResult]:
        """The results of one round with the ids and names of their calls.

        An id that no call has says no more than none: clients exist that keep it on the result alone.
        """
        calls = [self._by_id(result.call_id) for result in results]
        for index, result in enumerate(results):
            if calls[index] is None and result.name:
                calls[index] = self._take(("name", result.name))
        calls = [call or self._take(_ORDER) for call in calls]
        return [
            replace(result, call_id=call.written, name=call.name) if call else self._loose(result)
            for result, call in zip(results, calls, strict=True)
        ]

    def _by_id(self, call_id: str) -> _OpenCall | None:
        """Of several calls with this id the one that waits, else the last: some models restart ids each turn."""
        return (self._take(("id", call_id)) or self._last.get(call_id)) if call_id else None

    def _take(self, tie: _Tie) -> _OpenCall | None:
        turns = self._waiting[tie]
        while turns:
            while turns[-1]:
                call = turns[-1].popleft()
                if not call.is_answered:
                    call.is_answered = True
                    return call
            turns.pop()
        return None

    def _loose(self, result: ToolResult) -> ToolResult:
        return replace(result, call_id=self._fit(result.call_id) or self._made_up(), name="")

    def _made_up(self) -> str:
        while True:
            self._made_count += 1
            made_up = f"call_{self._made_count}"
            if made_up not in self._asked and made_up not in self._ids:
                return self._ids.of(made_up)
