"""From a provider's events, or its whole answer, to canonical events.

Theory of operation. Everything is kept by `output_index`: some providers send items side by side, and end one after
another has begun. A whole answer is read as the items that a stream would have ended with, and so is what the last
event tells of items that no event brought. Reasoning has one voice, the summary's or its own. What no item has a
canonical form for is an opaque part, complete at its end.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, members
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.members import Members
from relay.adapters.dialects.openai_chat.errors import fault_in
from relay.adapters.dialects.openai_chat.reading import settled_reason
from relay.adapters.dialects.openai_responses import seals
from relay.adapters.dialects.openai_responses.content import NAME
from relay.adapters.dialects.openai_responses.options import flat_name
from relay.adapters.dialects.openai_responses.parts import Logprobs, Part, cited, logprobs
from relay.adapters.dialects.openai_responses.usage import usage_in
from relay.domain.chat import Citation, Opaque
from relay.domain.errors import Interrupted, Malformed
from relay.domain.events import (
    Finished,
    FinishReason,
    OpaqueReported,
    PartKind,
    Started,
    StreamEvent,
    UsageReported,
)

_PARTS_PER_ITEM = 4096
_MAX_INDEX = 1_000_000
"""Beyond it an index is taken for nonsense."""

_ENDS = (
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.cancelled",
    "response.done",
)
_CONTENT: Mapping[str, PartKind] = {"output_text": "text", "text": "text", "refusal": "refusal"}
_REASONS: Mapping[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "incomplete": "length",
    "content_filter": "content_filter",
}


class Reader:
    """An `AnswerReader`: events of a stream or a whole answer in, canonical events out; one answer each."""

    def __init__(self) -> None:
        self.has_finished = False
        self.ended_items: dict[int, Raw] = {}
        self._is_started = False
        self._parts: dict[int, Part] = {}
        self._opaque_slots: set[int] = set()
        self._logprobs = Logprobs()
        self._sources: list[Citation] = []

    def take(self, event: Members, events: list[StreamEvent]) -> None:
        """Append what an event means. Raises the provider's own failure when it tells of one."""
        kind = members.text(event.get("type"))
        if not kind.startswith("response."):
            _raise_failure(event, is_error=kind == "error")
            return
        if self.has_finished:
            return
        if (handler := _HANDLERS.get(kind)) is not None:
            handler(self, event, events)
        elif members.is_said(told := event.get("response")):
            self._start(members.members(told), events)
            if kind in _ENDS:
                self._finish(members.members(told), kind, events)

    def take_whole(self, answer: Members, events: list[StreamEvent]) -> None:
        """Append what a whole answer means. Raises `Malformed` when it is none, or the provider's failure."""
        _raise_failure(answer, is_error=False)
        if not members.is_said(answer.get("output")) and not members.text(answer.get("status")):
            raise Malformed("the provider's answer has no output")
        self._start(answer, events)
        self._finish(answer, "", events)

    def end(self, events: list[StreamEvent]) -> None:
        """Raises `Interrupted` when no end was seen."""
        if not self.has_finished:
            raise Interrupted("the provider's stream ended before its finish marker")

    def _start(self, response: Members, events: list[StreamEvent]) -> None:
        if not self._is_started:
            self._is_started = True
            events.append(
                Started(
                    id=members.text(response.get("id")),
                    model=members.text(response.get("model")),
                    created=members.count(response.get("created_at")) or 0,
                )
            )

    def _finish(self, response: Members, kind: str, events: list[StreamEvent]) -> None:
        usage = usage_in(_plain(response.get("usage")), _plain(response.get("tool_usage")))
        if usage is not None:
            events.append(UsageReported(usage=usage))
        word = _finish_word(response, kind)
        output = members.items(response.get("output"))
        for index, raw in enumerate(output):
            self._end_item(index, raw, events)
        told = [token for raw in output for token in _logprobs_of(raw)]
        self._logprobs.complete(logprobs(told), events)
        for part in sorted(self._parts.values(), key=lambda part: part.index):
            self._end(part, events)
        has_calls = any(part.kind == "tool_call" and part.is_started for part in self._parts.values())
        reason = settled_reason(_REASONS.get(word, "stop"), has_calls=has_calls)
        events.append(Finished(reason=reason, raw_reason=word))
        self.has_finished = True

    def _end(self, part: Part, events: list[StreamEvent]) -> None:
        """Perplexity tells its sources beside the text; they count where the text has none of its own."""
        if part.kind == "text" and part.length and not part.is_ended and not part.citations:
            part.citations, self._sources = self._sources, []
        part.end(events)

    def _item_added(self, event: Members, events: list[StreamEvent]) -> None:
        item, index = members.members(event.get("item")), _index(event.get("output_index"))
        match members.text(item.get("type")):
            case "function_call" | "custom_tool_call":
                if members.text(item.get("name")):
                    self._call(index, item, events)
            case "reasoning":
                self._reasoning(index, item)
            case _:
                pass

    def _item_done(self, event: Members, events: list[StreamEvent]) -> None:
        raw = event.get("item")
        if members.is_said(raw) and raw is not None:
            self._end_item(_index(event.get("output_index")), raw, events)

    def _end_item(self, index: int, raw: Raw, events: list[StreamEvent]) -> None:
        """Everything of an item that is complete."""
        if index in self.ended_items:
            return
        item = members.members(raw)
        self.ended_items[index] = raw
        match members.text(item.get("type")):
            case "message":
                for place, content in enumerate(map(members.members, members.items(item.get("content")))):
                    self._content_done(index, min(place, _PARTS_PER_ITEM - 1), content, events)
            case "reasoning":
                self._reasoning(index, item).think_all(item, events)
            case "function_call" | "custom_tool_call":
                self._call(index, item, events).complete(_arguments(item), events)
            case "":
                pass
            case kind:
                if kind == "search_results":
                    self._sources += cited(members.items(item.get("results")))
                self._opaque(index, raw, events)
        base = index * _PARTS_PER_ITEM
        for slot in sorted(slot for slot in self._parts if base <= slot < base + _PARTS_PER_ITEM):
            self._end(self._parts[slot], events)

    def _opaque(self, index: int, raw: Raw, events: list[StreamEvent]) -> None:
        slot = index * _PARTS_PER_ITEM
        if slot not in self._parts:
            self._opaque_slots.add(slot)
            json_text = msgspec.json.format(members.json_text(raw), indent=-1)
            events.append(OpaqueReported(index=slot, part=Opaque(origin=NAME, json=json_text)))

    def _text_delta(self, event: Members, events: list[StreamEvent]) -> None:
        self._logprobs.more(logprobs(members.items(event.get("logprobs"))), events)
        self._part_at(event, "text").say(members.text(event.get("delta")), events)

    def _text_done(self, event: Members, events: list[StreamEvent]) -> None:
        self._part_at(event, "text").complete(members.text(event.get("text")), events)

    def _refusal_delta(self, event: Members, events: list[StreamEvent]) -> None:
        self._part_at(event, "refusal").say(members.text(event.get("delta")), events)

    def _refusal_done(self, event: Members, events: list[StreamEvent]) -> None:
        self._part_at(event, "refusal").complete(members.text(event.get("refusal")), events)

    def _annotation(self, event: Members, events: list[StreamEvent]) -> None:
        annotation = event.get("annotation")
        if annotation is not None:
            self._part_at(event, "text").citations += cited((annotation,))

    def _part_done(self, event: Members, events: list[StreamEvent]) -> None:
        content = members.members(event.get("part"))
        index, place = _index(event.get("output_index")), _place(event.get("content_index"))
        self._content_done(index, place, content, events)

    def _content_done(self, index: int, place: int, content: Members, events: list[StreamEvent]) -> None:
        kind = _CONTENT.get(members.text(content.get("type")))
        if kind is None:
            return
        part = self._part(index, place, kind)
        part.complete(members.text(content.get("refusal" if kind == "refusal" else "text")), events)
        if kind == "text" and (told := cited(members.items(content.get("annotations")))):
            part.citations = told

    def _summary_delta(self, event: Members, events: list[StreamEvent]) -> None:
        self._thought(event, "summary", "summary_index", events)

    def _reasoning_delta(self, event: Members, events: list[StreamEvent]) -> None:
        self._thought(event, "content", "content_index", events)

    def _thought(self, event: Members, voice: str, place: str, events: list[StreamEvent]) -> None:
        part = self._part(_index(event.get("output_index")), 0, "thinking")
        part.think(voice, _place(event.get(place)), members.text(event.get("delta")), events)

    def _arguments_delta(self, event: Members, events: list[StreamEvent]) -> None:
        part = self._part(_index(event.get("output_index")), 0, "tool_call")
        if part.is_started:
            part.say(members.text(event.get("delta")), events)

    def _arguments_done(self, event: Members, events: list[StreamEvent]) -> None:
        part = self._part(_index(event.get("output_index")), 0, "tool_call")
        if part.is_started:
            part.complete(_arguments(event), events)

    def _call(self, index: int, item: Members, events: list[StreamEvent]) -> Part:
        """A call; it begins once its name is known."""
        part = self._part(index, 0, "tool_call")
        if not part.is_started:
            part.call_id = members.text(item.get("call_id")) or members.text(item.get("id"))
            part.name = flat_name(members.text(item.get("namespace")), members.text(item.get("name")))
            part.freeform = members.text(item.get("type")) == "custom_tool_call"
            part.start(events)
        return part

    def _reasoning(self, index: int, item: Members) -> Part:
        part = self._part(index, 0, "thinking")
        if not part.is_started:
            part.call_id = members.text(item.get("id")) or part.call_id
            if sealed := members.text(item.get("encrypted_content")):
                part.origin = seals.origin_of(NAME, sealed)
        return part

    def _part_at(self, event: Members, kind: PartKind) -> Part:
        return self._part(_index(event.get("output_index")), _place(event.get("content_index")), kind)

    def _part(self, index: int, place: int, kind: PartKind) -> Part:
        """The part of this kind at this place; one that nobody hears, where another kind stands."""
        slot = index * _PARTS_PER_ITEM + place
        part = self._parts.setdefault(slot, Part(slot, kind))
        if part.kind != kind or slot in self._opaque_slots:
            part = Part(slot, kind)
            part.is_ended = True
        return part


_HANDLERS: Mapping[str, Callable[[Reader, Members, list[StreamEvent]], None]] = {
    "response.output_item.added": Reader._item_added,
    "response.output_item.done": Reader._item_done,
    "response.content_part.done": Reader._part_done,
    "response.output_text.delta": Reader._text_delta,
    "response.output_text.done": Reader._text_done,
    "response.output_text.annotation.added": Reader._annotation,
    "response.refusal.delta": Reader._refusal_delta,
    "response.refusal.done": Reader._refusal_done,
    "response.reasoning_summary_text.delta": Reader._summary_delta,
    "response.reasoning_text.delta": Reader._reasoning_delta,
    "response.function_call_arguments.delta": Reader._arguments_delta,
    "response.function_call_arguments.done": Reader._arguments_done,
    "response.custom_tool_call_input.delta": Reader._arguments_delta,
    "response.custom_tool_call_input.done": Reader._arguments_done,
}


def _finish_word(response: Members, kind: str) -> str:
    """The provider's word for how it ended. Raises the failure that it stands for, or `Malformed` for none."""
    status = members.text(response.get("status"))
    if kind == "response.failed" or status == "failed":
        fault = fault_in({"error": _plain(response.get("error"))}, is_error=True)
        if fault is not None:
            raise fault.failure()
        raise upstream_failure(502, "the provider gave up on its answer")
    if status in ("cancelled", "canceled"):
        raise Interrupted("the provider's answer was cancelled")
    if kind == "response.incomplete" or status == "incomplete":
        reason = members.text(members.members(response.get("incomplete_details")).get("reason"))
        return reason or "incomplete"
    if not kind and status in ("in_progress", "queued"):
        raise Malformed("the provider's answer is not finished")
    return status if status == "requires_action" else "completed"


def _raise_failure(event: Members, *, is_error: bool) -> None:
    is_flat = "detail" in event or members.text(event.get("object")) == "error"
    if is_error or is_flat or members.is_said(event.get("error")):
        fault = fault_in({name: _plain(raw) for name, raw in event.items()}, is_error=is_error)
        if fault is not None:
            raise fault.failure()


def _logprobs_of(item: Raw) -> list[Raw]:
    content = map(members.members, members.items(members.members(item).get("content")))
    return [token for part in content for token in members.items(part.get("logprobs"))]


def _arguments(item: Members) -> str:
    """Arguments are text by the book; some servers send the object itself."""
    raw = item.get("arguments") or item.get("input")
    if raw is None or not members.is_said(raw):
        return ""
    return members.json_text(raw) if bytes(memoryview(raw)[:1]) in (b"{", b"[") else members.text(raw)


def _plain(raw: Raw | None) -> object:
    """The value as Python has it; `None` for what cannot be read."""
    try:
        return None if raw is None else lenient.loads(bytes(raw))
    except lenient.Undecodable:
        return None


def _index(raw: Raw | None) -> int:
    found = members.count(raw)
    return found if found is not None and found <= _MAX_INDEX else 0


def _place(raw: Raw | None) -> int:
    found = members.count(raw)
    return found if found is not None and found < _PARTS_PER_ITEM else 0
