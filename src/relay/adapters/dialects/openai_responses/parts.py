"""What the items of one answer have shown so far, as parts with events of their own.

A part stands at its item's place, so items may come side by side. What its end says beyond its pieces is made up
for: providers send calls whose arguments come with the end alone, and texts whose last piece does.
"""

from collections.abc import Iterable, Sequence

from msgspec import Raw

from relay.adapters.dialects import members
from relay.adapters.dialects.members import Members
from relay.adapters.dialects.openai_responses import seals
from relay.adapters.dialects.openai_responses.content import NAME
from relay.domain.chat import Citation, DialectName
from relay.domain.events import (
    LogprobsReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    SignatureDelta,
    StreamEvent,
    TokenAlternative,
    TokenLogprob,
)

MAX_PLACE = 2**53
BETWEEN_PIECES = "\n\n"
"""What stands between two pieces of a summary, which are paragraphs."""


class Part:
    """A text, a refusal, a call or reasoning in the making."""

    __slots__ = ("call_id", "citations", "freeform", "index", "is_ended", "is_started", "kind", "length", "name",
                 "origin", "piece", "voice")  # fmt: skip

    def __init__(self, index: int, kind: PartKind) -> None:
        self.index = index
        self.kind = kind
        self.call_id = ""
        self.name = ""
        self.freeform = False
        self.origin: DialectName | None = NAME if kind == "thinking" else None
        self.citations: list[Citation] = []
        self.length = 0
        self.voice = ""
        self.piece: int | None = None
        self.is_started = False
        self.is_ended = False

    def start(self, events: list[StreamEvent]) -> None:
        """Begin, if it has not."""
        if not (self.is_started or self.is_ended):
            self.is_started = True
            events.append(
                PartStarted(
                    index=self.index,
                    kind=self.kind,
                    call_id=self.call_id,
                    name=self.name,
                    origin=self.origin,
                    freeform=self.freeform,
                )
            )

    def say(self, text: str, events: list[StreamEvent]) -> None:
        """More of it."""
        if text and not self.is_ended:
            self.start(events)
            self.length += len(text)
            events.append(PartDelta(index=self.index, text=text))

    def complete(self, text: str, events: list[StreamEvent]) -> None:
        """The whole of it: what was not said yet is."""
        self.say(text[self.length :], events)

    def think(self, voice: str, piece: int, text: str, events: list[StreamEvent]) -> None:
        """More of its reasoning. The first voice to speak is heard, be it the summary's or the reasoning's own."""
        if not text or (self.voice or voice) != voice:
            return
        self.voice = voice
        if self.length and piece != self.piece:
            self.say(BETWEEN_PIECES, events)
        self.piece = piece
        self.say(text, events)

    def think_all(self, item: Members, events: list[StreamEvent]) -> None:
        """The whole of its reasoning, and its seal."""
        texts = {
            voice: BETWEEN_PIECES.join(filter(None, map(_text_of, members.items(item.get(voice)))))
            for voice in ("content", "summary")
        }
        self.complete(texts[self.voice] if self.voice else texts["content"] or texts["summary"], events)
        encrypted = members.text(item.get("encrypted_content"))
        if not encrypted or self.is_ended:
            return
        if not self.is_started:
            self.origin = seals.origin_of(NAME, encrypted)
        self.start(events)
        signature, sealed = seals.read(encrypted)
        if signature:
            events.append(SignatureDelta(index=self.index, text=signature))
        if sealed:
            events.append(SignatureDelta(index=self.index, text=sealed, kind="sealed"))

    def end(self, events: list[StreamEvent]) -> None:
        """End, if it has begun and has not ended."""
        if self.is_started and not self.is_ended:
            events.append(PartEnded(index=self.index, citations=tuple(self.citations)))
        self.is_ended = True


def cited(annotations: Iterable[Raw]) -> list[Citation]:
    """The citations of addresses among the annotations; files have no canonical form."""
    found = [members.members(raw) for raw in annotations]
    return [
        Citation(
            url=url,
            title=members.text(each.get("title")),
            start=_place(each.get("start_index")),
            end=_place(each.get("end_index")),
        )
        for each in found
        if (url := members.text(each.get("url")))
    ]


def logprobs(tokens: Sequence[Raw]) -> tuple[TokenLogprob, ...]:
    """The log probabilities of a text's tokens."""
    told = [members.members(raw) for raw in tokens]
    return tuple(
        TokenLogprob(
            token=members.text(each.get("token")),
            logprob=probability,
            bytes=_bytes(each.get("bytes")),
            top=tuple(
                TokenAlternative(
                    token=members.text(rival.get("token")),
                    logprob=rival_probability,
                    bytes=_bytes(rival.get("bytes")),
                )
                for rival in map(members.members, members.items(each.get("top_logprobs")))
                if (rival_probability := members.number(rival.get("logprob"))) is not None
            ),
        )
        for each in told
        if (probability := members.number(each.get("logprob"))) is not None
    )


class Logprobs:
    """Log probabilities of all texts in order; ends that tell more than the pieces did are made up for."""

    def __init__(self) -> None:
        self._count = 0

    def more(self, tokens: tuple[TokenLogprob, ...], events: list[StreamEvent]) -> None:
        """Those of a piece."""
        if tokens:
            self._count += len(tokens)
            events.append(LogprobsReported(tokens=tokens))

    def complete(self, tokens: tuple[TokenLogprob, ...], events: list[StreamEvent]) -> None:
        """Those of the whole answer."""
        self.more(tokens[self._count :], events)


def _text_of(piece: Raw) -> str:
    return members.text(members.members(piece).get("text"))


def _place(value: Raw | None) -> int:
    count = members.count(value)
    return count if count is not None and count < MAX_PLACE else 0


def _bytes(value: Raw | None) -> tuple[int, ...]:
    counts = [members.count(raw) for raw in members.items(value)]
    return tuple(count for count in counts if count is not None and count < 256)
