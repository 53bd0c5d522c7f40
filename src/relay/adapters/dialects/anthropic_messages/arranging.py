"""A conversation put the way Anthropic wants it, as a pure step between canonical messages.

Instructions at the beginning stand apart. Turns alternate. The results of a turn's calls open the next turn, one
for each: a result that answers no call of the turn before is what the user says, and a call without a result gets
one that says so. Thoughts are Anthropic's own or none. The encoder writes the outcome down one to one.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import assert_never

from relay.adapters.dialects.anthropic_messages.messages import NAME
from relay.adapters.dialects.freeform import as_json
from relay.adapters.dialects.lenient import settled
from relay.adapters.dialects.ollama_chat.calls import object_text
from relay.adapters.dialects.openai_chat.arranging import Binder
from relay.adapters.dialects.openai_chat.images import split, typed
from relay.domain.chat import (
    Audio,
    CacheTtl,
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

UNANSWERED = "There is no result of this call."

MAX_ID_CHARACTERS = 64
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_INSTRUCTING = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Arranged:
    """What the model is told, and the turns."""

    system: tuple[Text, ...]
    turns: tuple[Message, ...]

    def messages(self) -> tuple[Message, ...]:
        """The same as a conversation."""
        return (*((Message(role="system", parts=self.system),) if self.system else ()), *self.turns)


def arranged(messages: Sequence[Message], *, takes_system: bool) -> Arranged:
    """The conversation; with `takes_system` instructions may stand in its middle. A fixed point."""
    place = next((at for at, each in enumerate(messages) if each.role not in _INSTRUCTING), len(messages))
    turns = _Turns(Binder(messages, fitting), takes_system=takes_system)
    for message in messages[place:]:
        turns.add(message)
    return Arranged(
        tuple(text for message in messages[:place] for text in _told(message)), tuple(turns.ended())
    )


def fitting(call_id: str) -> str:
    """An id of the characters and the length that are taken; another one gets a hash of the whole."""
    cleaned = _ODD.sub("_", call_id)
    if cleaned == call_id and len(call_id) <= MAX_ID_CHARACTERS:
        return call_id
    digest = sha256(call_id.encode(errors="replace")).hexdigest()[:16]
    return f"{cleaned[: MAX_ID_CHARACTERS - 17]}_{digest}"


@dataclass(slots=True)
class _Turns:
    """Turns being built: what the model said last, and what was said since."""

    binder: Binder
    takes_system: bool
    done: list[Message] = field(default_factory=list)
    answered: list[Part] = field(default_factory=list)
    results: list[ToolResult] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)

    def add(self, message: Message) -> None:
        """The next message."""
        if message.role == "assistant":
            parts = [usable for part in message.parts for usable in _usable(part)]
            if parts:
                self._end_user()
                self.answered += parts
            return
        if message.role in _INSTRUCTING:
            texts = _told(message)
            if texts:
                self.said.append(Message(role="system", parts=texts))
            return
        self.results += [part for part in message.parts if isinstance(part, ToolResult)]
        if rest := [usable for part in message.parts for usable in _usable(part)]:
            self.said.append(Message(role="user", parts=tuple(rest)))

    def ended(self) -> Iterator[Message]:
        """All turns."""
        self._end_user()
        self._end_assistant()
        return iter(self.done)

    def _end_user(self) -> None:
        if not (self.results or self.said):
            return
        self._end_assistant()
        calls = self.done[-1].parts if self.done and self.done[-1].role == "assistant" else ()
        results, loose = self._bound([part for part in calls if isinstance(part, ToolCall)])
        parts: list[Part] = [*results, *loose]
        for message in self.said:
            if message.role == "user":
                parts += message.parts
            elif self.takes_system and (parts or self.done):
                self._push("user", parts)
                self._push("system", message.parts)
                parts = []
            else:
                texts = [part for part in message.parts if isinstance(part, Text)]
                parts += [replace(text, text=_marked(text.text)) for text in texts]
        self._push("user", parts)
        self.results, self.said = [], []

    def _end_assistant(self) -> None:
        if self.answered:
            self._push("assistant", self.binder.named(self.answered))
            self.answered = []

    def _push(self, role: Role, parts: Sequence[Part]) -> None:
        if not parts:
            return
        if self.done and self.done[-1].role == role:
            self.done[-1] = replace(self.done[-1], parts=(*self.done[-1].parts, *parts))
        else:
            self.done.append(Message(role=role, parts=tuple(parts)))

    def _bound(self, calls: Sequence[ToolCall]) -> tuple[list[ToolResult], list[Part]]:
        """A result for each call, in the order in which they came, and what the others say."""
        open_calls = {call.id: call for call in calls}
        results: list[ToolResult] = []
        loose: list[Part] = []
        for result in self.binder.bound(self.results):
            if open_calls.pop(result.call_id, None) is None:
                loose += _settled_all(result.parts)
            else:
                results.append(replace(result, parts=tuple(_settled_all(result.parts))))
        for call in open_calls.values():
            text = Text(text=UNANSWERED)
            results.append(ToolResult(call_id=call.id, name=call.name, parts=(text,), is_error=True))
        return results, loose


def _told(message: Message) -> tuple[Text, ...]:
    """The texts of instructions, which are all that they have."""
    return tuple(
        Text(text=part.text, cache=part.cache if isinstance(part, Text) else None)
        for part in message.parts
        if isinstance(part, Text | Refusal) and part.text.strip()
    )


def _marked(text: str) -> str:
    return f"<system>\n{text}\n</system>"


def _usable(part: Part) -> Iterator[Part]:
    """The part as it is written; nothing for what has no place, and for results, which have one of their own."""
    match part:
        case Text() | Image() | File():
            yield from _settled_all((part,))
        case Refusal(text=text):
            yield from _settled_all((Text(text=text),))
        case Thinking(origin=origin) if origin == NAME:
            yield from own_thoughts(part)
        case ToolCall():
            call = as_json(part)
            yield replace(call, arguments=object_text(call.arguments), signature="")
        case Opaque(origin=origin, json=json) if origin == NAME:
            yield Opaque(origin=NAME, json=settled(json))
        case Thinking() | Opaque() | Audio() | ToolResult():
            return
        case _:
            assert_never(part)


def own_thoughts(part: Thinking) -> Iterator[Thinking]:
    """Thinking in blocks: shown under its signature, and sealed."""
    if part.signature:
        yield Thinking(text=part.text, signature=part.signature, origin=NAME)
    if part.sealed:
        yield Thinking(text="", sealed=part.sealed, origin=NAME)


def _settled_all(parts: Iterable[Text | Image | File]) -> Iterator[Text | Image | File]:
    """Texts that are more than white space, which is refused, and what is shown, with its type."""
    for part in parts:
        match part:
            case Text(text=text):
                if text.strip():
                    yield Text(text=text, cache=part.cache)
            case Image():
                if part.data or part.url:
                    yield replace(typed(part), detail=None, url="" if part.data else part.url)
            case File():
                if part.data or part.url or part.file_id:
                    yield _document(split(part))


def _document(file: File) -> File:
    """A document as one of the sources that there are: by id, by address, a plain text, or a PDF."""
    kept = File(filename=file.filename or None, cache=file.cache)
    if file.file_id:
        return replace(kept, file_id=file.file_id)
    if not file.data:
        return replace(kept, url=file.url)
    media_type = file.media_type or "application/pdf"
    if media_type.startswith("text/"):
        try:
            text = b64decode(file.data, validate=True).decode()
        except ValueError:
            return replace(kept, data=file.data, media_type="application/pdf")
        return replace(kept, data=b64encode(text.encode()).decode(), media_type="text/plain")
    return replace(kept, data=file.data, media_type=media_type)


def cached(marks: Sequence[CacheTtl | None], *, at_most: int) -> list[CacheTtl | None]:
    """The marks, in the order of the prompt, as they are taken.

    Only so many are: the last ones, as each stands for all that is before it. None may ask for longer than one
    before it.
    """
    excess = sum(mark is not None for mark in marks) - at_most
    kept: list[CacheTtl | None] = []
    has_short = False
    for mark in marks:
        if mark is not None and excess > 0:
            excess -= 1
            mark = None
        if mark == "1h" and has_short:
            mark = "5m"
        has_short = has_short or mark == "5m"
        kept.append(mark)
    return kept
