"""From the events of a stream, or a whole answer, to canonical events.

Theory of operation. Content has an index, a plan and calls come after it: their places among the parts are fixed,
so that a stream folds to the same answer as the whole body. A part begins with its first text, as empty ones are
none. What is cited comes at any time, so parts stay open to the end.
"""

from collections.abc import Mapping, Sequence

from msgspec import Raw

from relay.adapters.dialects.cohere_v2.citations import is_of_plan, raws, sources
from relay.adapters.dialects.cohere_v2.errors import failure_in, is_fault
from relay.adapters.dialects.cohere_v2.usage import usage_in
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.members import Members, count, is_said, items, members, number, text
from relay.adapters.dialects.ollama_chat.calls import made_id
from relay.adapters.dialects.openai_chat.norm import finite
from relay.adapters.dialects.openai_chat.reading import settled_reason
from relay.domain.chat import Citation, DialectName
from relay.domain.errors import Interrupted
from relay.domain.events import (
    Finished,
    FinishReason,
    LogprobsReported,
    PartDelta,
    PartEnded,
    PartKind,
    PartStarted,
    Started,
    StreamEvent,
    TokenLogprob,
    UsageReported,
)

NAME: DialectName = "cohere.v2"

MAX_CONTENT = 1000
"""An index beyond it is taken for nonsense."""

_PLAN_SLOT = 2 * MAX_CONTENT
_FIRST_CALL_SLOT = _PLAN_SLOT + 1

_REASONS: Mapping[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
_FAILURES: Mapping[str, int] = {"ERROR": 502, "TIMEOUT": 504}
"""Finish words that stand for a failure."""


class AnswerReader:
    """One answer; see `sse_answers.AnswerReader`."""

    def __init__(self) -> None:
        self.has_finished = False
        self._id = ""
        self._is_started = False
        self._said: set[int] = set()
        self._calls: dict[int, int] = {}
        self._call_slots: list[int] = []
        self._content_cites: list[tuple[int | None, Citation]] = []
        self._plan_cites: list[Citation] = []
        self._word = ""
        self._problem = ""

    def take(self, event: Members, events: list[StreamEvent]) -> None:
        """One event; kinds that are not known are passed over. Raises the failure that it tells of."""
        kind = text(event.get("type"))
        if not kind:
            self.take_whole(event, events)
            return
        delta = members(event.get("delta"))
        message = members(delta.get("message"))
        index = count(event.get("index"))
        match kind:
            case "message-start":
                self._start(event, events)
            case "content-start" | "content-delta":
                self._content(index, members(message.get("content")), events)
                self._logprobs([event.get("logprobs")], events)
            case "tool-plan-delta":
                self._say(_PLAN_SLOT, "text", text(message.get("tool_plan")), events)
            case "tool-call-start":
                self._call(index, _one(message.get("tool_calls")), events, is_new=True)
            case "tool-call-delta":
                self._call(index, _one(message.get("tool_calls")), events, is_new=False)
            case "citation-start":
                self._cite(message.get("citations"))
            case "message-end":
                self._problem = text(delta.get("error"))
                self._finish(delta, events)
            case _:
                if is_said(event.get("error")):
                    raise failure_in(event)

    def take_whole(self, answer: Members, events: list[StreamEvent]) -> None:
        """A whole answer. Raises the failure that it is in place of one."""
        if is_fault(answer):
            raise failure_in(answer)
        message = members(answer.get("message"))
        if not message:
            return
        self._start(answer, events)
        if said := text(message.get("content")):
            self._say(1, "text", said, events)
        for index, raw in enumerate(items(message.get("content"))):
            self._content(index, members(raw), events)
        self._say(_PLAN_SLOT, "text", text(message.get("tool_plan")), events)
        for index, raw in enumerate(items(message.get("tool_calls"))):
            self._call(index, members(raw), events, is_new=True)
        self._cite(message.get("citations"))
        self._logprobs(items(answer.get("logprobs")), events)
        self._finish(answer, events)

    def end(self, events: list[StreamEvent]) -> None:
        """The end of the bytes. Raises `Interrupted`, or the failure that the finish word names."""
        if not self._word:
            raise Interrupted("the provider's stream ended before its finish marker")
        reason = _REASONS.get(self._word)
        if self._word in _FAILURES or (reason is None and not self._said and not self._call_slots):
            problem = self._problem or f"the provider gave up on its answer ({self._word[:64]})"
            raise upstream_failure(_FAILURES.get(self._word, 502), problem)
        citations = self._citations()
        slots = sorted((*self._said, *self._call_slots))
        events += [PartEnded(index=slot, citations=citations.get(slot, ())) for slot in slots]
        settled = settled_reason(reason or "stop", has_calls=bool(self._call_slots))
        events.append(Finished(reason=settled, raw_reason=self._word))

    def _start(self, event: Members, events: list[StreamEvent]) -> None:
        if not self._is_started:
            self._is_started = True
            self._id = text(event.get("id"))
            events.append(Started(id=self._id))

    def _content(self, index: int | None, content: Members, events: list[StreamEvent]) -> None:
        place = 2 * min(index or 0, MAX_CONTENT - 1)
        self._say(place, "thinking", text(content.get("thinking")), events)
        self._say(place + 1, "text", text(content.get("text")), events)

    def _say(self, slot: int, kind: PartKind, said: str, events: list[StreamEvent]) -> None:
        if not said:
            return
        if slot not in self._said:
            self._said.add(slot)
            origin = NAME if kind == "thinking" else None
            events.append(PartStarted(index=slot, kind=kind, origin=origin))
        events.append(PartDelta(index=slot, text=said))

    def _call(self, index: int | None, call: Members, events: list[StreamEvent], *, is_new: bool) -> None:
        place = len(self._call_slots) if index is None and is_new else index or 0
        function = members(call.get("function"))
        if is_new or place not in self._calls:
            slot = _FIRST_CALL_SLOT + len(self._call_slots)
            self._call_slots.append(slot)
            self._calls[place] = slot
            call_id = text(call.get("id")) or made_id(self._id, len(self._call_slots))
            name = text(function.get("name"))
            events.append(PartStarted(index=slot, kind="tool_call", call_id=call_id, name=name))
        if arguments := text(function.get("arguments")):
            events.append(PartDelta(index=self._calls[place], text=arguments))

    def _cite(self, value: Raw | None) -> None:
        for cited in raws(value):
            if is_of_plan(cited):
                self._plan_cites += sources(cited)
            else:
                index = count(cited.get("content_index"))
                self._content_cites += [(index, citation) for citation in sources(cited)]

    def _citations(self) -> Mapping[int, tuple[Citation, ...]]:
        """By the slot of the text: the first one where nothing, or nothing true, is said of the place."""
        texts = [slot for slot in sorted(self._said) if slot % 2 and slot < _PLAN_SLOT]
        found: dict[int, list[Citation]] = {_PLAN_SLOT: self._plan_cites}
        for index, citation in self._content_cites:
            slot = 2 * index + 1 if index is not None else -1
            if texts:
                found.setdefault(slot if slot in texts else texts[0], []).append(citation)
        return {slot: tuple(dict.fromkeys(cited)) for slot, cited in found.items() if slot in self._said}

    def _logprobs(self, values: Sequence[Raw | None], events: list[StreamEvent]) -> None:
        tokens = tuple(
            TokenLogprob(token=text(told.get("text")), logprob=_joint(told.get("logprobs")))
            for told in map(members, values)
            if told
        )
        if tokens:
            events.append(LogprobsReported(tokens=tokens))

    def _finish(self, told: Members, events: list[StreamEvent]) -> None:
        if (usage := usage_in(told.get("usage"))) is not None:
            events.append(UsageReported(usage=usage))
        if word := text(told.get("finish_reason")).upper():
            self._word, self.has_finished = word, True


def _joint(logprobs: Raw | None) -> float:
    """The probability of a piece of text is that of its tokens together."""
    return finite(sum(each for each in map(number, items(logprobs)) if each is not None))


def _one(value: Raw | None) -> Members:
    """A stream's event has one call in place of a list."""
    return members(value) or members(next(iter(items(value)), None))
