"""A conversation as Ollama can say it: one text per message, one message per tool result, results tied to calls.

Ollama's clients often send results without ids, some without names, and parallel ones in any order; OpenAI and
Anthropic refuse a result that answers no call. So results are tied to the calls before them: by id, else by the
tool's name, else in order.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from relay.adapters.dialects.ollama_chat.calls import made_id, object_text
from relay.domain.chat import Image, Message, Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult

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
    return [
        replace(part, arguments=object_text(part.arguments)) for part in parts if isinstance(part, ToolCall)
    ]


def _tied(messages: list[Message]) -> tuple[Message, ...]:
    tied: list[Message] = []
    open_calls: list[ToolCall] = []
    known_ids: set[str] = set()
    while len(tied) < len(messages):
        position = len(tied)
        if messages[position].role == "tool":
            run = _results_from(messages, position)
            tied += [Message(role="tool", parts=(result,)) for result in _tie(run, open_calls, known_ids)]
            continue
        message = _with_ids(messages[position], position)
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        open_calls = calls + open_calls
        known_ids.update(call.id for call in calls)
        tied.append(message)
    return tuple(tied)


def _results_from(messages: list[Message], position: int) -> list[ToolResult]:
    """The results of this message and those directly behind it: one round of tool use."""
    run: list[ToolResult] = []
    for message in messages[position:]:
        if message.role != "tool":
            break
        run += [part for part in message.parts if isinstance(part, ToolResult)]
    return run


def _with_ids(message: Message, position: int) -> Message:
    if not any(isinstance(part, ToolCall) and not part.id for part in message.parts):
        return message
    parts = [
        replace(part, id=made_id(position, slot)) if isinstance(part, ToolCall) and not part.id else part
        for slot, part in enumerate(message.parts)
    ]
    return replace(message, parts=tuple(parts))


def _tie(run: list[ToolResult], open_calls: list[ToolCall], known_ids: set[str]) -> list[ToolResult]:
    """The round's results with ids and names; the calls they answer are taken off `open_calls`.

    An id that no call carries says nothing: clients exist that keep it on the result and drop it on the call.
    """
    tied = list(run)
    waiting = [index for index, result in enumerate(run) if result.call_id]
    _answer(tied, waiting, open_calls, lambda result, call: result.call_id == call.id)
    loose = [index for index, result in enumerate(tied) if result.call_id not in known_ids]
    for fits in (lambda result, call: result.name == call.name, lambda result, call: True):
        loose = _answer(tied, loose, open_calls, fits)
    return tied


def _answer(
    results: list[ToolResult],
    waiting: list[int],
    open_calls: list[ToolCall],
    fits: Callable[[ToolResult, ToolCall], bool],
) -> list[int]:
    """Tie each waiting result to the first open call it fits; returns those that fit none."""
    left: list[int] = []
    for index in waiting:
        result = results[index]
        call = next((call for call in open_calls if fits(result, call)), None)
        if call is None:
            left.append(index)
            continue
        open_calls.remove(call)
        results[index] = replace(result, call_id=call.id, name=result.name or call.name)
    return left
