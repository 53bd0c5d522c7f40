"""What is set right in the text of an answer while it streams: thoughts and code fences that do not belong there.

Each correction takes the events of one answer, piece by piece, and gives those that reach the client. At most
`MAX_HELD` characters are held back, as long as they may still turn out to be a tag or a fence; what is held when
an answer breaks off is gone with it. Log probabilities stay those of the tokens that the model drew.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from relay.domain.chat import Citation
from relay.domain.events import (
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    SignatureDelta,
    StreamEvent,
)

MAX_HELD = 256

OPENING_TAG = "<think>"
CLOSING_TAG = "</think>"

_FENCE_OPENING = re.compile(r'\s*+```[ \t]*+(?:json\w*+)?+\s*+(?=[\[{"\d-])', re.IGNORECASE)
_FENCE_BEGINNING = re.compile(r"\s*+(?:`{0,2}|```[ \t]*+(?:j|js|jso|json\w*+)?\s*+)", re.IGNORECASE)
_FENCE_CLOSING = re.compile(r"\s*```\s*")
_FENCE_CHARACTERS = "` \t\r\n"

type Said = tuple[Literal["thinking", "text"], str]
"""What a text comes to, in its order: a thought or text, never empty."""


class Correction(Protocol):
    """A step between a provider's events and a client; one answer each."""

    def correct(self, events: Iterable[StreamEvent]) -> Sequence[StreamEvent]:
        """The events in place of these."""
        ...


class Scanner(Protocol):
    """Reads one text as it comes. `removed` counts the characters taken from before its first visible one."""

    removed: int

    def feed(self, text: str) -> Iterator[Said]: ...
    def close(self) -> Iterator[Said]: ...


class TagScanner:
    """Takes thoughts out of the beginning of a text, with their tags and the white space behind each tag."""

    def __init__(self) -> None:
        self.removed = 0
        self._state: Literal["start", "opened", "thinking", "closed", "text"] = "start"
        self._held = ""

    def feed(self, text: str) -> Iterator[Said]:
        if self._state == "text":
            yield "text", text
            return
        before = len(self._held) + len(text)
        text, self._held = self._held + text, ""
        if self._state == "start":
            text = self._started(text)
        if self._state == "opened" and (text := text.lstrip()):
            self._state = "thinking"
        if self._state == "thinking":
            thought, text = self._thought(text)
            if thought:
                yield "thinking", thought
        if self._state == "closed" and (text := text.lstrip()):
            self._state = "text"
        visible = text if self._state == "text" else ""
        self.removed += before - len(self._held) - len(visible)
        if visible:
            yield "text", visible

    def close(self) -> Iterator[Said]:
        held, self._held = self._held, ""
        if held:
            yield "thinking" if self._state == "thinking" else "text", held

    def _started(self, text: str) -> str:
        said = text.lstrip()
        if said.startswith(OPENING_TAG):
            self._state = "opened"
            return said.removeprefix(OPENING_TAG)
        if OPENING_TAG.startswith(said) and len(text) <= MAX_HELD:
            self._held = text
            return ""
        self._state = "text"
        return text

    def _thought(self, text: str) -> tuple[str, str]:
        """What is thought of a text, and what stands behind its end."""
        thought, tag, rest = text.partition(CLOSING_TAG)
        if tag:
            self._state = "closed"
            return thought, rest
        length = next(
            (size for size in range(len(CLOSING_TAG) - 1, 0, -1) if text.endswith(CLOSING_TAG[:size])), 0
        )
        self._held = text[len(text) - length :]
        return text[: len(text) - length], ""


class FenceScanner:
    """Takes the fence off a text that is nothing but fenced JSON; any other text stays as it is.

    JSON has no line that begins with a fence, as strings hold no raw line ends; a fence that closes before the
    text ends is left where it is.
    """

    def __init__(self) -> None:
        self.removed = 0
        self._state: Literal["start", "fenced", "text"] = "start"
        self._held = ""

    def feed(self, text: str) -> Iterator[Said]:
        if self._state == "text":
            yield "text", text
            return
        text, self._held = self._held + text, ""
        if self._state == "start":
            text = self._started(text)
        if self._state == "fenced":
            said = text.rstrip(_FENCE_CHARACTERS)
            if len(text) - len(said) <= MAX_HELD:
                text, self._held = said, text[len(said) :]
        if text:
            yield "text", text

    def close(self) -> Iterator[Said]:
        held, self._held = self._held, ""
        if held and not (self._state == "fenced" and _FENCE_CLOSING.fullmatch(held)):
            yield "text", held

    def _started(self, text: str) -> str:
        if (opening := _FENCE_OPENING.match(text)) is not None:
            self._state = "fenced"
            self.removed = opening.end()
            return text[opening.end() :]
        if _FENCE_BEGINNING.fullmatch(text) and len(text) <= MAX_HELD:
            self._held = text
            return ""
        self._state = "text"
        return text


class _ScannedText:
    """The text of one choice. `index` is the provider's; of its thought and its text one at most is `open`."""

    __slots__ = ("index", "open", "scanner", "was_opened")

    def __init__(self, index: int, scanner: Scanner) -> None:
        self.index = index
        self.scanner = scanner
        self.open: PartKind | None = None
        self.was_opened = False


class ScannedText:
    """A `Correction` of the first text of each choice. Indexes are spread: a thought goes before its text."""

    def __init__(self, scanner: type[TagScanner] | type[FenceScanner]) -> None:
        self._scanner = scanner
        self._texts: dict[int, _ScannedText] = {}

    def correct(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        """As `Correction.correct`."""
        corrected: list[StreamEvent] = []
        for event in events:
            match event:
                case PartStarted(kind="text", choice=choice) if choice not in self._texts:
                    self._texts[choice] = _ScannedText(event.index, self._scanner())
                case PartDelta(choice=choice) if (text := self._text_of(event)) is not None:
                    for kind, said in text.scanner.feed(event.text):
                        _say(text, kind, said, choice, corrected)
                case PartEnded() if (text := self._text_of(event)) is not None:
                    _end(text, event, corrected)
                case PartStarted() | PartDelta() | SignatureDelta() | OpaqueReported() | PartEnded():
                    corrected.append(replace(event, index=2 * event.index + 1))
                case _:
                    corrected.append(event)
        return corrected

    def _text_of(self, event: PartDelta | PartEnded) -> _ScannedText | None:
        text = self._texts.get(event.choice)
        return text if text is not None and text.index == event.index else None


def _say(
    text: _ScannedText,
    kind: Literal["thinking", "text"],
    said: str,
    choice: int,
    corrected: list[StreamEvent],
) -> None:
    index = 2 * text.index + (kind == "text")
    if text.open != kind:
        if text.open is not None:
            corrected.append(PartEnded(index=2 * text.index, choice=choice))
        corrected.append(PartStarted(index=index, kind=kind, choice=choice))
        text.open, text.was_opened = kind, True
    corrected.append(PartDelta(index=index, text=said, choice=choice))


def _end(text: _ScannedText, event: PartEnded, corrected: list[StreamEvent]) -> None:
    for kind, said in text.scanner.close():
        _say(text, kind, said, event.choice, corrected)
    index = 2 * text.index + 1
    if not text.was_opened:
        corrected.append(PartStarted(index=index, kind="text", choice=event.choice))
    elif text.open == "thinking":
        corrected.append(PartEnded(index=2 * text.index, choice=event.choice))
        return
    citations = tuple(_moved(each, text.scanner.removed) for each in event.citations)
    corrected.append(PartEnded(index=index, choice=event.choice, citations=citations))


def _moved(citation: Citation, removed: int) -> Citation:
    """A citation of a text that lost its beginning."""
    return replace(citation, start=max(citation.start - removed, 0), end=max(citation.end - removed, 0))
