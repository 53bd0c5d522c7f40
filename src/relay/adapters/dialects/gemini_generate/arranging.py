"""A conversation put the way this dialect wants it, as a pure step between canonical messages.

Instructions at the beginning stand apart; later ones are what a user says. Turns alternate, a user's is first. The
results of a turn's calls open the next turn, one for each: a result that answers no call of the turn before is what
the user says, and a call without a result gets one that says so. Thoughts that are not Gemini's stay out. The
encoder writes the outcome down one to one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from relay.adapters.dialects.freeform import as_json
from relay.adapters.dialects.gemini_generate.families import Family
from relay.adapters.dialects.gemini_generate.reading import NAME
from relay.adapters.dialects.ollama_chat.calls import object_text
from relay.adapters.dialects.openai_chat.arranging import FILE_NOTE, IMAGE_NOTE, Binder
from relay.adapters.dialects.openai_chat.ids import fitting
from relay.adapters.dialects.openai_chat.images import split, typed
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

UNANSWERED = "There is no result of this call."

_NOTHING = Text(text=" ")
"""What a user says who says nothing: a conversation must not begin with a model's turn, nor be without a turn."""

_INSTRUCTING = ("system", "developer")

_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "json": "application/json",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "mp4": "video/mp4",
}
"""What an address ends in, where nobody says what stands there."""


def arranged(messages: Sequence[Message], family: Family) -> tuple[Message, ...]:
    """The same conversation in this dialect's order, every call with an id and a result; a fixed point."""
    start = _talk_start(messages) if family.instructions else 0
    instructions = tuple(_instructions(messages[:start]))
    turns = _turns(messages[start:])
    if not turns and instructions:
        turns, instructions = [_Turn(is_model=False, rest=list(instructions))], ()
    if turns and turns[0].is_model:
        turns.insert(0, _Turn(is_model=False, rest=[_NOTHING]))
    _bind(turns, Binder(messages, fitting), family)
    system = [Message(role="system", parts=instructions)] if instructions else []
    return (*system, *(message for turn in turns for message in turn.messages()))


def inline(media_type: str, data: str) -> Image | Audio | File:
    """What bytes of a type are."""
    kind, _, name = media_type.partition("/")
    if kind == "image":
        return Image(data=data, media_type=media_type)
    return Audio(data=data, format=name) if kind == "audio" else File(data=data, media_type=media_type)


def elsewhere(media_type: str | None, url: str) -> Image | File:
    """What stands at an address."""
    is_image = media_type is not None and media_type.startswith("image/")
    return Image(url=url, media_type=media_type) if is_image else File(url=url, media_type=media_type)


@dataclass(slots=True)
class _Turn:
    """All that one side says before the other does."""

    is_model: bool
    results: list[ToolResult] = field(default_factory=list)
    rest: list[Part] = field(default_factory=list)

    def messages(self) -> Iterator[Message]:
        for result in self.results:
            yield Message(role="tool", parts=(result,))
        if self.rest:
            yield Message(role="assistant" if self.is_model else "user", parts=tuple(self.rest))


def _talk_start(messages: Sequence[Message]) -> int:
    return next(
        (place for place, message in enumerate(messages) if message.role not in _INSTRUCTING), len(messages)
    )


def _instructions(messages: Sequence[Message]) -> Iterator[Text]:
    for message in messages:
        yield from (Text(text=part.text) for part in message.parts if isinstance(part, Text) and part.text)


def _turns(messages: Sequence[Message]) -> list[_Turn]:
    turns: list[_Turn] = []

    def turn(*, is_model: bool) -> _Turn:
        if not turns or turns[-1].is_model != is_model:
            turns.append(_Turn(is_model))
        return turns[-1]

    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        rest = [each for part in message.parts for each in _settled(part)]
        if message.role == "assistant" and rest:
            turn(is_model=True).rest += rest
        if results:
            turn(is_model=False).results += results
        if message.role != "assistant" and rest:
            turn(is_model=False).rest += rest
    return turns


def _bind(turns: Iterable[_Turn], binder: Binder, family: Family) -> None:
    """Give calls their ids, and each the one result that answers it, in the order in which results came."""
    calls: list[ToolCall] = []
    for turn in turns:
        if turn.is_model:
            turn.rest = binder.named(turn.rest)
            calls = [part for part in turn.rest if isinstance(part, ToolCall)]
            continue
        waiting = {call.id: call for call in calls}
        before: list[Part] = []
        kept: list[ToolResult] = []
        for result in binder.bound(turn.results):
            told, following = _result(result, family)
            if waiting.pop(result.call_id, None) is None:
                before += [part for said in (*told.parts, *following) for part in _settled(said)]
            else:
                kept.append(told)
                before += following
        text = Text(text=UNANSWERED)
        kept += [
            ToolResult(call_id=call.id, name=call.name, parts=(text,), is_error=True)
            for call in waiting.values()
        ]
        turn.results, turn.rest = kept, [*before, *turn.rest]
        if not (turn.results or turn.rest):
            turn.rest = [_NOTHING]


def _settled(part: Part) -> Iterator[Part]:
    """A part as it is read back, without its caching mark; nothing of what is left out."""
    match part:
        case Text() | Refusal() | Thinking():
            yield from _said(part)
        case Image() | Audio() | File():
            yield _shown(part)
        case ToolCall():
            call = as_json(part)
            yield replace(call, arguments=object_text(call.arguments), cache=None)
        case Opaque(origin=origin, json=json):
            if origin == NAME:
                yield replace(part, json=object_text(json))
        case ToolResult():
            pass  # taken apart before
        case _:
            assert_never(part)


def _said(part: Text | Refusal | Thinking) -> Iterator[Text | Thinking]:
    signature = "" if isinstance(part, Refusal) else part.signature
    if not (part.text or signature):
        return
    if not isinstance(part, Thinking):
        yield Text(text=part.text, signature=signature)
    elif part.origin == NAME:
        yield Thinking(text=part.text, signature=signature, origin=NAME)


def _shown(part: Image | Audio | File) -> Image | Audio | File:
    match part:
        case Image(data=data) if data:
            return inline(typed(part).media_type or "image/png", data)
        case Image(url=url):
            guessed = part.media_type or _guessed(url) or ""
            return elsewhere(guessed if guessed.startswith("image/") else "image/jpeg", url)
        case Audio():
            return part
        case File(data=data) if data:
            whole = split(part)
            return inline(whole.media_type or "application/pdf", whole.data)
        case File():
            url = part.url or part.file_id
            return elsewhere(part.media_type or _guessed(url), url)


def _guessed(url: str) -> str | None:
    return _TYPES.get(url.partition("?")[0].rpartition(".")[2].lower())


def _result(result: ToolResult, family: Family) -> tuple[ToolResult, list[Part]]:
    """The result as one text and what may stand beside it, and what has to follow in its turn."""
    said = "\n".join(part.text for part in result.parts if isinstance(part, Text) and part.text)
    kept: list[Image | File] = []
    following: list[Part] = []
    for part in result.parts:
        if isinstance(part, Text):
            continue
        shown = _shown(part)
        if family.result_media and isinstance(shown, Image | File) and shown.data:
            kept.append(shown)
        else:
            following.append(shown)
    if following and not said:
        said = IMAGE_NOTE if isinstance(following[0], Image) else FILE_NOTE
    texts = (Text(text=said),) if said else ()
    return replace(result, parts=(*texts, *kept), cache=None), following
