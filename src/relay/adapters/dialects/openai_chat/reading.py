"""From chunks to events: what a provider's chunks mean, whatever order and shape it sends them in.

Theory of operation. A choice has one thinking part, one text part, one refusal and any number of calls, because
a whole answer of this dialect has room for no more. Their indexes are fixed in that order, so that a stream
folds to the same answer as the whole body, even if a provider thinks after it has begun to speak. A tool call
is told apart by its wire index and its id. Finish words are held until the stream is over: providers repeat
them, send content along with them, and an error may follow.
"""

from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.chunks import read_chunk
from relay.adapters.dialects.openai_chat.citations import cited, sources
from relay.adapters.dialects.openai_chat.errors import fault_in
from relay.adapters.dialects.openai_chat.reasoning_details import (
    Detail,
    Details,
    details_in,
    thought_in,
)
from relay.adapters.dialects.openai_chat.usage import usage_in
from relay.domain.chat import Citation, DialectName
from relay.domain.errors import Interrupted, Malformed
from relay.domain.events import (
    ChatResponse,
    Finished,
    FinishReason,
    LogprobsReported,
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
from relay.domain.folding import fold
from relay.domain.usage import Usage

MAX_CHOICES = 128
"""OpenAI's limit of `n`; an index beyond it is taken for nonsense."""

_SLOTS: dict[PartKind, int] = {"thinking": 0, "text": 1, "refusal": 2}
_FIRST_CALL_SLOT = 3

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
_FAILURES = {"error": 502, "insufficient_system_resource": 503}
"""Finish words that stand for a failure: OpenRouter's and Mistral's, and DeepSeek's."""


class _Call:
    """A tool call in the making. It starts once its name is known; arguments that came before are held."""

    __slots__ = ("held", "id", "is_started", "name", "slot")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.id = ""
        self.name = ""
        self.held: list[str] = []
        self.is_started = False


class _Choice:
    """What one choice has shown so far."""

    __slots__ = (
        "by_id",
        "by_index",
        "calls",
        "citations",
        "details",
        "index",
        "open_slots",
        "raw_word",
        "thinks_aloud",
        "word",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.open_slots: set[int] = set()
        self.calls: list[_Call] = []
        self.citations: list[Citation] = []
        self.details: Details | None = None
        self.thinks_aloud = False
        self.by_index: dict[int, _Call] = {}
        self.by_id: dict[str, _Call] = {}
        self.word = ""
        self.raw_word = ""

    def say(self, kind: PartKind, text: str, events: list[StreamEvent]) -> None:
        slot = _SLOTS[kind]
        if slot not in self.open_slots:
            self._open(slot, kind, events)
        events.append(PartDelta(index=slot, text=text, choice=self.index))

    def think(self, text: str, details: list[Detail] | None, events: list[StreamEvent]) -> None:
        """More of the thought. Its details are its seal, if they were spoken of when it began.

        They are the thought itself, too, as long as it is told nowhere else.
        """
        self.thinks_aloud = self.thinks_aloud or bool(text)
        if details is not None and (self.details is not None or _SLOTS["thinking"] not in self.open_slots):
            self.details = self.details or Details()
            self.details.add(details)
        if thought := text if self.thinks_aloud else thought_in(details or ()):
            self.say("thinking", thought, events)

    def _open(self, slot: int, kind: PartKind, events: list[StreamEvent]) -> None:
        self.open_slots.add(slot)
        origin: DialectName | None = (
            "openai.chat" if kind == "thinking" and self.details is not None else None
        )
        events.append(PartStarted(index=slot, kind=kind, choice=self.index, origin=origin))

    def call(self, delta: wire.ToolCallDelta, events: list[StreamEvent]) -> None:
        function = delta.function
        name = (function.name if function else None) or ""
        arguments = (function.arguments if function else None) or ""
        call = self._find(delta, name)
        if not call.is_started:
            call.id = call.id or delta.id or ""
            call.name = call.name or name
            call.held.append(arguments)
            if call.name:
                self._start(call, events)
        elif arguments:
            events.append(PartDelta(index=call.slot, text=arguments, choice=self.index))

    def _find(self, delta: wire.ToolCallDelta, name: str) -> _Call:
        """The call a delta belongs to; servers reuse an index for several calls, or leave it out."""
        if delta.index is None:
            known = self.by_id.get(delta.id) if delta.id else None
            if known is None and not delta.id and not name and self.calls:
                known = self.calls[-1]
        else:
            known = self.by_index.get(delta.index)
            if known is not None and delta.id and known.id and delta.id != known.id:
                known = self.by_id.get(delta.id)
        if known is None:
            known = _Call(_FIRST_CALL_SLOT + len(self.calls))
            self.calls.append(known)
        if delta.index is not None:
            self.by_index[delta.index] = known
        if delta.id:
            self.by_id.setdefault(delta.id, known)
        return known

    def _start(self, call: _Call, events: list[StreamEvent]) -> None:
        call.is_started = True
        self.open_slots.add(call.slot)
        events.append(
            PartStarted(index=call.slot, kind="tool_call", call_id=call.id, name=call.name, choice=self.index)
        )
        if held := "".join(call.held):
            events.append(PartDelta(index=call.slot, text=held, choice=self.index))

    def reason(self) -> FinishReason:
        """Raises the failure that the finish word stands for, or `Interrupted` when there was none."""
        if not self.word:
            raise Interrupted("the provider's stream ended before its finish marker")
        reason = _REASONS.get(self.word)
        if self.word in _FAILURES or (reason is None and not (self.open_slots or self.calls)):
            raise upstream_failure(_FAILURES.get(self.word, 502), "the provider gave up on its answer")
        return settled_reason(reason or "stop", has_calls=bool(self.calls))

    def end(self, reason: FinishReason, named: tuple[Citation, ...], events: list[StreamEvent]) -> None:
        """`named` are the sources of the answer, where they are not its texts'."""
        for call in self.calls:
            if not call.is_started:
                self._start(call, events)
        self._seal(events)
        citations = tuple(dict.fromkeys(self.citations)) or named
        for slot in sorted(self.open_slots):
            of_text = citations if slot == _SLOTS["text"] else ()
            events.append(PartEnded(index=slot, choice=self.index, citations=of_text))
        events.append(Finished(reason=reason, raw_reason=self.raw_word, choice=self.index))

    def _seal(self, events: list[StreamEvent]) -> None:
        slot = _SLOTS["thinking"]
        if self.details is not None and (seal := self.details.sealed()):
            if slot not in self.open_slots:
                self._open(slot, "thinking", events)
            events.append(SignatureDelta(index=slot, text=seal, choice=self.index, kind="sealed"))


def choice_index(choice: wire.Choice, position: int) -> int:
    """Which choice is meant by one that stands at `position` of its chunk."""
    index = choice.index
    return position if index is None or not 0 <= index < MAX_CHOICES else index


def settled_reason(reason: FinishReason, *, has_calls: bool) -> FinishReason:
    """Calls decide between `stop` and `tool_calls`, not the word: many servers say stop to everything."""
    if reason in ("stop", "tool_calls", "pause"):
        return "tool_calls" if has_calls else "stop"
    return reason


class AnswerReader:
    """Chunks in, events out; one answer each."""

    def __init__(self) -> None:
        self._is_started = False
        self._usage: Usage | None = None
        self._choices: dict[int, _Choice] = {}
        self._citations: object = None
        self._search_results: object = None

    def take(self, chunk: wire.Chunk, events: list[StreamEvent]) -> None:
        """Append what the chunk means. Raises the provider's own failure when it carries an error."""
        usage = usage_in(chunk.usage)
        if usage is None and isinstance(chunk.x_groq, dict):
            usage = usage_in(chunk.x_groq.get("usage"))
        if not self._is_started and (chunk.choices or usage is not None):
            self._is_started = True
            events.append(
                Started(id=chunk.id or "", model=chunk.model or "", created=max(chunk.created or 0, 0))
            )
        if usage is not None and usage != self._usage:
            self._usage = usage
            events.append(UsageReported(usage=usage))
        if chunk.error:
            _raise_fault(chunk.error)
        if chunk.citations or chunk.search_results:
            self._citations = chunk.citations or self._citations
            self._search_results = chunk.search_results or self._search_results
        for position, choice in enumerate(chunk.choices or ()):
            self._take_choice(position, choice, events)

    def end(self, events: list[StreamEvent]) -> None:
        """Append what the end of the stream means. Raises `Interrupted` or the failure a finish word names."""
        if not self._choices:
            raise Interrupted("the provider's stream ended before an answer began")
        choices = sorted(self._choices.values(), key=lambda choice: choice.index)
        reasons = [choice.reason() for choice in choices]
        has_annotations = any(choice.citations for choice in choices)
        named = () if has_annotations else sources(self._citations, self._search_results)
        for choice, reason in zip(choices, reasons, strict=True):
            choice.end(reason, named, events)

    def _take_choice(self, position: int, said: wire.Choice, events: list[StreamEvent]) -> None:
        if said.error:
            _raise_fault(said.error)
        index = choice_index(said, position)
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        if said.logprobs is not None and said.logprobs.content:
            tokens = tuple(_logprob(token) for token in said.logprobs.content)
            events.append(LogprobsReported(tokens=tokens, choice=index))
        delta = said.delta if said.delta is not None else said.message
        if delta is not None:
            _take_delta(delta, choice, events)
        if said.finish_reason:
            word = said.finish_reason.lower()
            if not choice.word or word in _FAILURES:
                choice.word, choice.raw_word = word, said.native_finish_reason or said.finish_reason


def read_whole(body: bytes) -> ChatResponse:
    """An answer that is one JSON object: a single chunk whose message is the delta.

    Raises `Malformed`, also when the answer is not finished, or the provider's own failure.
    """
    chunk = read_chunk(body)
    choices = chunk.choices or []
    share_an_index = len({choice.index for choice in choices}) < len(choices)
    for position, choice in enumerate(choices):
        if share_an_index:
            choice.index = position
        for number, call in enumerate(choice.message.tool_calls or () if choice.message else ()):
            call.index = number  # each is a call of its own, whatever ids they have
    reader, events = AnswerReader(), list[StreamEvent]()
    try:
        reader.take(chunk, events)
        reader.end(events)
    except Interrupted:
        raise Malformed("the provider's answer has no finished choice") from None
    return fold(events)


def _take_delta(delta: wire.Delta, choice: _Choice, events: list[StreamEvent]) -> None:
    details = details_in(delta.reasoning_details)
    if (thought := delta.reasoning_content or delta.reasoning or "") or details is not None:
        choice.think(thought, details, events)
    if isinstance(delta.content, str):
        if delta.content:
            choice.say("text", delta.content, events)
    elif delta.content:
        _take_parts(delta.content, choice, events)
    if delta.refusal:
        choice.say("refusal", delta.refusal, events)
    for call in delta.tool_calls or ():
        choice.call(call, events)
    if delta.annotations:
        choice.citations += cited(delta.annotations)


def _take_parts(parts: list[wire.ContentPart], choice: _Choice, events: list[StreamEvent]) -> None:
    """Content as a list: Mistral's thinking and text."""
    for part in parts:
        if part.type == "thinking" and part.thinking:
            inner = part.thinking
            text = inner if isinstance(inner, str) else "".join(piece.text or "" for piece in inner)
            if text:
                choice.say("thinking", text, events)
        elif part.text:
            choice.say("text", part.text, events)
        elif part.refusal:
            choice.say("refusal", part.refusal, events)


def _logprob(token: wire.TokenLogprob) -> TokenLogprob:
    return TokenLogprob(
        token=token.token,
        logprob=token.logprob,
        bytes=tuple(token.bytes or ()),
        top=tuple(
            TokenAlternative(token=rival.token, logprob=rival.logprob, bytes=tuple(rival.bytes or ()))
            for rival in token.top_logprobs or ()
        ),
    )


def _raise_fault(error: object) -> None:
    fault = fault_in({"error": error}, is_error=True)
    if fault is not None:
        raise fault.failure()
