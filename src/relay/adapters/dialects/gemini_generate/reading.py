"""From the objects of an answer to events: what a provider's chunks mean, whole or streamed.

Theory of operation. A choice is a list of parts in order. Texts without a signature, and thoughts likewise, that
come one after the other are one part that was cut; one with a signature stands alone, as it has to be sent back as
it came (https://ai.google.dev/gemini-api/docs/thought-signatures). Calls come whole. Places of citations count from
the first text of an answer, so that one has them all, and texts stay open to the end. Finish words are held until
then too: an error may follow, and there is no other mark of the end.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.gemini_generate.errors import fault_in
from relay.adapters.dialects.gemini_generate.grounding import cited
from relay.adapters.dialects.gemini_generate.usage import usage_in
from relay.adapters.dialects.members import (
    Members,
    count,
    is_said,
    is_true,
    items,
    json_text,
    members,
    number,
    text,
)
from relay.adapters.dialects.ollama_chat.calls import made_id, object_text
from relay.adapters.dialects.openai_chat.norm import finite
from relay.domain.chat import DialectName, Opaque
from relay.domain.errors import Interrupted
from relay.domain.events import (
    Finished,
    FinishReason,
    LogprobsReported,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    SignatureDelta,
    Started,
    StreamEvent,
    TokenAlternative,
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import Usage

NAME: DialectName = "gemini.generate"

MAX_CHOICES = 128
"""An index beyond it is taken for nonsense."""

REASONS: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "CONTINUATION": "pause",
}
FAILURES = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "OTHER",
        "NO_IMAGE",
        "IMAGE_OTHER",
        "ESCALATION",
    }
)
"""Finish words that stand for a failure of the provider."""


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    parts: list[_Part]
    role: str = ""


class _MoreText(msgspec.Struct, forbid_unknown_fields=True):
    content: _Content
    index: int = 0


_more_text = msgspec.json.Decoder(_MoreText)

_UNSAID = frozenset({"", "FINISH_REASON_UNSPECIFIED"})
_MARKS = frozenset({"thought", "thoughtSignature", "partMetadata", "videoMetadata", "mediaResolution"})
"""Members that say something of a part and are none themselves."""


class _Choice:
    """What one choice has shown so far."""

    __slots__ = ("call_count", "citing", "grounding", "index", "run", "said", "slot_count", "texts", "word")

    def __init__(self, index: int) -> None:
        self.index = index
        self.slot_count = 0
        self.call_count = 0
        self.run: tuple[PartKind, int] | None = None
        self.texts: list[int] = []
        self.said: dict[int, list[str]] = {}
        self.word = ""
        self.grounding: Raw | None = None
        self.citing: Raw | None = None

    def slot(self) -> int:
        self.slot_count += 1
        return self.slot_count - 1

    def say(self, kind: PartKind, said: str, signature: str, events: list[StreamEvent]) -> None:
        if not said and not signature:
            return
        if signature or self.run is None or self.run[0] != kind:
            self.close_run(events)
            self.run = (kind, self.slot())
            origin = NAME if kind == "thinking" else None
            events.append(PartStarted(index=self.run[1], kind=kind, choice=self.index, origin=origin))
            if kind == "text":
                self.texts.append(self.run[1])
                self.said[self.run[1]] = []
        slot = self.run[1]
        if said:
            events.append(PartDelta(index=slot, text=said, choice=self.index))
        if kind == "text":
            self.said[slot].append(said)
        if signature:
            events.append(SignatureDelta(index=slot, text=signature, choice=self.index))
            self.close_run(events)

    def close_run(self, events: list[StreamEvent]) -> None:
        """What follows is another part; a text may still be told what it cites."""
        if self.run is not None and self.run[0] != "text":
            events.append(PartEnded(index=self.run[1], choice=self.index))
        self.run = None

    def call(self, called: Members, signature: str, answer_id: str, events: list[StreamEvent]) -> None:
        self.close_run(events)
        self.call_count += 1
        slot, arguments = self.slot(), called.get("args")
        call_id = text(called.get("id")) or made_id(answer_id, self.index, self.call_count)
        events.append(
            PartStarted(
                index=slot,
                kind="tool_call",
                call_id=call_id,
                name=text(called.get("name")),
                choice=self.index,
            )
        )
        spelled = object_text(json_text(arguments) if members(arguments) and arguments is not None else "")
        events.append(PartDelta(index=slot, text=spelled, choice=self.index))
        if signature:
            events.append(SignatureDelta(index=slot, text=signature, choice=self.index))
        events.append(PartEnded(index=slot, choice=self.index))

    def opaque(self, raw: Raw, events: list[StreamEvent]) -> None:
        self.close_run(events)
        part = Opaque(origin=NAME, json=object_text(json_text(raw)))
        events.append(OpaqueReported(index=self.slot(), part=part, choice=self.index))

    def reason(self) -> FinishReason:
        """Raises the failure that the finish word stands for, or `Interrupted` when there was none."""
        if not self.word:
            raise Interrupted("the provider's stream ended before its finish marker")
        reason = REASONS.get(self.word)
        if self.word in FAILURES or (reason is None and not self.slot_count):
            raise upstream_failure(502, f"the provider gave up on its answer ({self.word[:64]})")
        return settled_reason(reason or "stop", has_calls=self.call_count > 0)

    def end(self, reason: FinishReason, events: list[StreamEvent]) -> None:
        self.close_run(events)
        speaking = [slot for slot in self.texts if any(self.said[slot])]
        said = "".join(piece for slot in self.texts for piece in self.said[slot])
        citations = cited(self.grounding, self.citing, said) if speaking else ()
        for slot in self.texts:
            of_text = citations if slot in speaking[:1] else ()
            events.append(PartEnded(index=slot, choice=self.index, citations=of_text))
        events.append(Finished(reason=reason, raw_reason=self.word, choice=self.index))


def settled_reason(reason: FinishReason, *, has_calls: bool) -> FinishReason:
    """Calls decide between `stop` and `tool_calls`: the word is the same."""
    if reason in ("stop", "tool_calls"):
        return "tool_calls" if has_calls else "stop"
    return reason


class AnswerReader:
    """Objects in, events out; one answer each."""

    def __init__(self) -> None:
        self.has_finished = False
        self._id = ""
        self._is_started = False
        self._usage: Usage | None = None
        self._block = ""
        self._search_count = 0
        self._choices: dict[int, _Choice] = {}

    def take(self, event: Members, events: list[StreamEvent]) -> None:
        """One object of a stream, or a whole answer. Raises the provider's failure when that is what it is."""
        if (error := event.get("error")) is not None and is_said(error):
            raise fault_in(error).failure()
        usage = usage_in(event.get("usageMetadata"))
        block = text(members(event.get("promptFeedback")).get("blockReason"))
        candidates = items(event.get("candidates"))
        if usage is not None or block or candidates:
            self._start(event, events)
        if usage is not None and usage != self._usage:
            self._usage = usage
            events.append(UsageReported(usage=usage))
        if block not in ("", "BLOCK_REASON_UNSPECIFIED"):
            self._block, self.has_finished = block, True
        for position, candidate in enumerate(candidates):
            if not self._goes_on(position, candidate, events):
                self._candidate(position, members(candidate), events)

    take_whole = take

    def end(self, events: list[StreamEvent]) -> None:
        """The end of the bytes. Raises `Interrupted`, or the failure that a finish word names."""
        if self._block and not self._choices:
            events.append(Finished(reason="content_filter", raw_reason=self._block))
            return
        if not self._choices:
            raise Interrupted("the provider's stream ended before an answer began")
        choices = sorted(self._choices.values(), key=lambda choice: choice.index)
        reasons = [choice.reason() for choice in choices]
        for choice, reason in zip(choices, reasons, strict=True):
            choice.end(reason, events)
        if self._search_count:
            events.append(UsageReported(usage=Usage(web_searches=self._search_count)))

    def _start(self, event: Members, events: list[StreamEvent]) -> None:
        if not self._is_started:
            self._is_started = True
            self._id = text(event.get("responseId"))
            events.append(Started(id=self._id, model=text(event.get("modelVersion"))))

    def _goes_on(self, position: int, candidate: Raw, events: list[StreamEvent]) -> bool:
        """Take what nearly all events of a stream are, more of a text; false for any other."""
        choice = self._choices.get(position)
        if choice is None or choice.run is None or choice.run[0] != "text":
            return False
        try:
            more = _more_text.decode(candidate)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        if more.index != position or len(more.content.parts) != 1:
            return False
        choice.say("text", more.content.parts[0].text, "", events)
        return True

    def _candidate(self, position: int, told: Members, events: list[StreamEvent]) -> None:
        named = count(told.get("index"))
        index = position if named is None or named >= MAX_CHOICES else named
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        for raw in items(members(told.get("content")).get("parts")):
            self._part(raw, choice, events)
        if tokens := _logprobs(members(told.get("logprobsResult"))):
            events.append(LogprobsReported(tokens=tokens, choice=index))
        if is_said(grounding := told.get("groundingMetadata")):
            choice.grounding = grounding
            self._search_count = len(items(members(grounding).get("webSearchQueries"))) or self._search_count
        if is_said(citing := told.get("citationMetadata")):
            choice.citing = citing
        word = text(told.get("finishReason"))
        if word not in _UNSAID:
            choice.word, self.has_finished = word, True

    def _part(self, raw: Raw, choice: _Choice, events: list[StreamEvent]) -> None:
        part = members(raw)
        signature = text(part.get("thoughtSignature"))
        if called := members(part.get("functionCall")):
            choice.call(called, signature, self._id, events)
        elif part.keys() - _MARKS - {"text"}:
            choice.opaque(raw, events)
        else:
            kind: PartKind = "thinking" if is_true(part.get("thought")) else "text"
            choice.say(kind, text(part.get("text")), signature, events)


def _logprobs(told: Members) -> tuple[TokenLogprob, ...]:
    rivals = items(told.get("topCandidates"))
    found: list[TokenLogprob] = []
    for place, raw in enumerate(items(told.get("chosenCandidates"))):
        near = items(members(rivals[place]).get("candidates")) if place < len(rivals) else ()
        top = tuple(TokenAlternative(token=token, logprob=logprob) for token, logprob in map(_token, near))
        token, logprob = _token(raw)
        found.append(TokenLogprob(token=token, logprob=logprob, top=top))
    return tuple(found)


def _token(raw: Raw) -> tuple[str, float]:
    told = members(raw)
    logprob = number(told.get("logProbability"))
    return text(told.get("token")), finite(0.0 if logprob is None else logprob)
