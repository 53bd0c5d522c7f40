"""A conversation as Ollama can say it: one text per message, one message per tool result, results tied to calls.

Ollama's clients often send results without ids, some without names, and parallel ones in any order; OpenAI and
Anthropic refuse a result that answers no call. So results are tied to the calls before them: by id, else by the
tool's name, else in order.
"""

from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from relay.adapters.dialects.freeform import as_json
from relay.adapters.dialects.ollama_chat.calls import made_id, object_text
from relay.domain.chat import Image, Message, Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult

type _Tie = tuple[str, str]
"""What ties a result to a call: an id, a name, or nothing but the order."""

_ANY: _Tie = ("any", "")

_SNIFFED_CHARACTERS = 16  # 12 bytes: the longest signature is WebP's


def settled(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation that comes back when this one is written and read; settling it again changes nothing."""
    return _tied([plain for message in messages for plain in _plain(message)])


def sniffed_media_type(data: str) -> str | None:
    """What the first bytes of base64 `data` say it is; `None` when they are no image known to Ollama."""
    try:
        head = b64decode(data[:_SNIFFED_CHARACTERS])
    except ValueError:
        return None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def joined_text(parts: Sequence[Part]) -> str:
    """Every text and refusal, each beginning a new line."""
    return "\n".join(part.text for part in parts if isinstance(part, Text | Refusal) and part.text)


def _plain(message: Message) -> Iterator[Message]:
    """The message without what Ollama has no place for; tool results come first, as a tool's own messages."""
    role: Role = "system" if message.role == "developer" else message.role
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    if role == "tool" and (rest or not results):
        results.append(ToolResult(call_id="", name="", parts=_shown(rest)))
        rest = []
    for result in results:
        plain = ToolResult(call_id=result.call_id, name=result.name, parts=_shown(result.parts))
        yield Message(role="tool", parts=(plain,))
    if rest or not results:
        yield Message(role=role, parts=(*_thought(rest), *_shown(rest), *_called(rest)))


def _shown(parts: Sequence[Part]) -> tuple[Text | Image, ...]:
    text = joined_text(parts)
    images = [
        Image(data=part.data, media_type=sniffed_media_type(part.data), url="" if part.data else part.url)
        for part in parts
        if isinstance(part, Image)
    ]
    return (Text(text=text), *images) if text else tuple(images)


def _thought(parts: Sequence[Part]) -> tuple[Thinking, ...]:
    text = "\n".join(part.text for part in parts if isinstance(part, Thinking) and part.text)
    return (Thinking(text=text),) if text else ()


def _called(parts: Sequence[Part]) -> list[ToolCall]:
    calls = [as_json(part) for part in parts if isinstance(part, ToolCall)]
    return [ToolCall(id=call.id, name=call.name, arguments=object_text(call.arguments)) for call in calls]


def _id(call_id: str) -> _Tie:
    return ("id", call_id)


def _name(name: str) -> _Tie:
    return ("name", name)


class _OpenCalls:
    """The calls not answered yet, by id, by name and all together; the newest turn's come first, in order."""

    def __init__(self) -> None:
        self.known_ids: set[str] = set()
        self._turns: defaultdict[_Tie, list[deque[tuple[int, ToolCall]]]] = defaultdict(list)
        self._count = 0
        self._answered: set[int] = set()

    def add(self, calls: Sequence[ToolCall]) -> None:
        """The calls of one turn."""
        turn: defaultdict[_Tie, deque[tuple[int, ToolCall]]] = defaultdict(deque)
        for call in calls:
            self._count += 1
            self.known_ids.add(call.id)
            for tie in (_id(call.id), _name(call.name), _ANY):
                turn[tie].append((self._count, call))
        for tie, queue in turn.items():
            self._turns[tie].append(queue)

    def take(self, tie: _Tie) -> ToolCall | None:
        """The first call that is tied so; it is answered from now on."""
        turns = self._turns[tie]
        while turns:
            while turns[-1]:
                number, call = turns[-1].popleft()
                if number not in self._answered:
                    self._answered.add(number)
                    return call
            turns.pop()
        return None


def _tied(messages: list[Message]) -> tuple[Message, ...]:
    tied: list[Message] = []
    open_calls = _OpenCalls()
    while len(tied) < len(messages):
        position = len(tied)
        if messages[position].role == "tool":
            run = _tie(_results_from(messages, position), open_calls)
            tied += [Message(role="tool", parts=(result,)) for result in run]
            continue
        message = _with_ids(messages[position], position)
        open_calls.add([part for part in message.parts if isinstance(part, ToolCall)])
        tied.append(message)
    return tuple(tied)


def _results_from(messages: list[Message], position: int) -> list[ToolResult]:
    """The results of this message and those directly behind it: one round of tool use."""
    run: list[ToolResult] = []
    while position < len(messages) and messages[position].role == "tool":
        run += [part for part in messages[position].parts if isinstance(part, ToolResult)]
        position += 1
    return run


def _with_ids(message: Message, position: int) -> Message:
    if not any(isinstance(part, ToolCall) and not part.id for part in message.parts):
        return message
    parts = [
        replace(part, id=made_id(position, slot)) if isinstance(part, ToolCall) and not part.id else part
        for slot, part in enumerate(message.parts)
    ]
    return replace(message, parts=tuple(parts))


def _tie(run: list[ToolResult], open_calls: _OpenCalls) -> list[ToolResult]:
    """The round's results with the ids and names of the calls they answer.

    An id that no call carries says nothing: clients exist that keep it on the result and drop it on the call.
    """
    tied = list(run)

    def is_answer(index: int, tie: _Tie) -> bool:
        call = open_calls.take(tie)
        if call is not None:
            tied[index] = replace(tied[index], call_id=call.id, name=tied[index].name or call.name)
        return call is not None

    for index, result in enumerate(run):
        if result.call_id:
            is_answer(index, _id(result.call_id))
    loose = [index for index, result in enumerate(run) if result.call_id not in open_calls.known_ids]
    unnamed = [
        index for index in loose if not run[index].name or not is_answer(index, _name(run[index].name))
    ]
    for index in unnamed:
        is_answer(index, _ANY)
    return tied
