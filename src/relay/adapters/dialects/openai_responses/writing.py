"""Answers into a client's bytes, streamed or whole.

Theory of operation. Items are written one after the other, each complete before the next, as strict clients keep
them by their place: `created`, `in_progress`, then of each item its beginning, its pieces and its end, and at last
the whole response. Texts and refusals in a row are one message. Codex takes an item from its end alone, others from
its pieces or from the whole response, so all three say the same. A failure is `response.failed`, never `error`,
which Codex does not see.
"""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.freeform import text_of
from relay.adapters.dialects.openai_chat.norm import finite
from relay.adapters.dialects.openai_responses import seals, usage, wire
from relay.adapters.dialects.openai_responses.content import NAME
from relay.adapters.dialects.openai_responses.echo import echoed
from relay.adapters.dialects.openai_responses.ids import ItemIds, response_id
from relay.adapters.dialects.openai_responses.spelling import Spelling
from relay.adapters.dialects.sequential import PartEvent, Sequencer
from relay.domain.chat import Citation, Thinking
from relay.domain.errors import RelayError
from relay.domain.events import (
    ChatResponse,
    Failed,
    Finished,
    FinishReason,
    LogprobsReported,
    OpaqueReported,
    PartDelta,
    PartEnded,
    PartStarted,
    SignatureDelta,
    Started,
    StreamEvent,
    TokenLogprob,
    UsageReported,
)
from relay.domain.folding import unfold
from relay.domain.usage import Usage

REASONS: Mapping[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is incomplete; all others are complete."""


def encode_response(response: ChatResponse, scene: Scene) -> bytes:
    """The body of an answer that is not streamed: what the last event of its stream holds."""
    encoder = Encoder(scene, is_silent=True)
    for event in unfold(response):
        encoder.send(event)
    return lenient.encode(encoder.response())


class _OpenPart:
    """The part being written. `content` is its place in a message, once something of it was written."""

    __slots__ = ("content", "item", "pieces", "sealed", "signature", "started")

    def __init__(self, started: PartStarted) -> None:
        self.started = started
        self.content: wire.WrittenContent | None = None
        self.item: wire.WrittenReasoning | wire.WrittenCall | wire.WrittenCustomCall | None = None
        self.pieces: list[str] = []
        self.signature = ""
        self.sealed = ""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Encoder:
    """Canonical events into the events that the strictest client takes."""

    def __init__(self, scene: Scene, *, is_silent: bool = False) -> None:
        self._scene = scene
        self._is_silent = is_silent
        self._id = response_id(scene.id)
        self._ids = ItemIds(scene.id)
        tools = scene.asked.tools if scene.asked is not None else ()
        self._spelling = Spelling({tool.name: tool for tool in tools})
        self._sequencer = Sequencer()
        self._frames: list[bytes] = []
        self._sequence = 0
        self._output: list[wire.WrittenItem] = []
        self._message: wire.WrittenMessage | None = None
        self._part: _OpenPart | None = None
        self._logprobs: list[TokenLogprob] = []
        self._last_text: wire.WrittenText | None = None
        self._usage: Usage | None = None
        self._reason: FinishReason = "stop"
        self._is_begun = False
        self._has_failed = False

    def send(self, event: StreamEvent) -> bytes:
        """The events of this event, often none; `Failed` gives the in-band error, and ends the stream."""
        if self._has_failed:
            return b""
        match event:
            case PartDelta() | PartStarted() | SignatureDelta() | PartEnded() | OpaqueReported():
                self._take(event)
            case LogprobsReported(tokens=tokens, choice=0):
                self._logprobs.extend(tokens)
            case Finished(reason=reason, choice=0):
                self._reason = reason
                self._take(event)
            case UsageReported(usage=reported):
                self._usage = reported if self._usage is None else self._usage.merged(reported)
            case Failed(error=error):
                return self._fail(error)
            case Started():
                self._begin()
            case LogprobsReported() | Finished():
                pass
            case _:
                assert_never(event)
        return self._taken()

    def close(self) -> bytes:
        """The whole response, as the last event; nothing after a failure."""
        if self._has_failed:
            return b""
        self._begin()
        response = self.response()
        self._emit(f"response.{response.status}", response=response)
        return self._taken()

    def response(self) -> wire.WrittenResponse:
        """The whole response, which is complete."""
        self._close_message()
        if self._last_text is not None:
            self._last_text.logprobs += self._due_logprobs()
        reason = REASONS.get(self._reason)
        response = self._response("incomplete" if reason else "completed")
        response.incomplete_details = wire.Incomplete(reason) if reason else None
        response.usage = usage.written(self._usage) if self._usage is not None else None
        return response

    def _take(self, event: PartEvent | Finished) -> None:
        if event.choice == 0:
            self._begin()
            for due in self._sequencer.push(event):
                if isinstance(due, PartEvent.__value__):
                    self._write(due)

    def _fail(self, error: RelayError) -> bytes:
        self._has_failed = True
        response = self._response("failed")
        message = lenient.clean_text(error.message)
        response.error = wire.WrittenError(code=error.code or "server_error", message=message)
        response.usage = usage.written(self._usage) if self._usage is not None else None
        self._emit("response.failed", response=response)
        return self._taken()

    def _begin(self) -> None:
        if self._is_begun:
            return
        self._is_begun = True
        if not self._is_silent:
            response = self._response("in_progress")
            self._emit("response.created", response=response)
            self._emit("response.in_progress", response=response)

    def _response(self, status: str) -> wire.WrittenResponse:
        response = wire.WrittenResponse(
            id=self._id,
            created_at=self._scene.created,
            status=status,
            model=self._scene.model,
            output=self._output,
            reasoning=wire.WrittenReasoningOptions(),
            text=wire.WrittenTextOptions(format=wire.Format(type="text")),
            tools=[],
        )
        return echoed(response, self._scene.asked)

    def _write(self, event: PartEvent) -> None:
        match event:
            case PartDelta(text=text):
                self._more(self._open_part(), text)
            case PartStarted():
                self._part = _OpenPart(event)
                if event.kind == "tool_call":
                    self._open_call(self._part)
            case SignatureDelta(text=text, kind="signature"):
                self._open_part().signature += text
            case SignatureDelta(text=text):
                self._open_part().sealed += text
            case PartEnded(citations=citations):
                self._end(self._open_part(), citations)
            case OpaqueReported(part=part):
                if part.origin == NAME:
                    self._close_message()
                    self._add_item(msgspec.Raw(part.json.encode()))
                    self._end_item()
            case _:
                assert_never(event)

    def _open_part(self) -> _OpenPart:
        if self._part is None:
            raise AssertionError("a part goes on that has not begun")
        return self._part

    def _more(self, part: _OpenPart, text: str) -> None:
        if not text:
            return
        part.pieces.append(text)
        match part.started.kind:
            case "text" | "refusal":
                self._more_content(part, text)
            case "thinking":
                item = self._opened_reasoning(part)
                if not item.summary:
                    item.summary.append(wire.WrittenSummary(""))
                    self._of_item(
                        "response.reasoning_summary_part.added", summary_index=0, part=item.summary[0]
                    )
                self._of_item("response.reasoning_summary_text.delta", summary_index=0, delta=text)
            case "tool_call":
                if isinstance(part.item, wire.WrittenCall):
                    self._of_item("response.function_call_arguments.delta", delta=text)
            case _:
                assert_never(part.started.kind)

    def _more_content(self, part: _OpenPart, text: str) -> None:
        is_refusal = part.started.kind == "refusal"
        if part.content is None:
            message = self._opened_message()
            part.content = (
                wire.WrittenRefusal("") if is_refusal else wire.WrittenText("", annotations=[], logprobs=[])
            )
            message.content.append(part.content)
            self._of_content("response.content_part.added", part=part.content)
        if is_refusal:
            self._of_content("response.refusal.delta", delta=text)
            return
        logprobs = self._due_logprobs()
        if isinstance(part.content, wire.WrittenText):
            part.content.logprobs += logprobs
        self._of_content("response.output_text.delta", delta=text, logprobs=logprobs)

    def _end(self, part: _OpenPart, citations: tuple[Citation, ...]) -> None:
        self._part = None
        match part.content:
            case wire.WrittenText():
                self._end_text(part.content, part.text, citations)
            case wire.WrittenRefusal():
                part.content.refusal = part.text
                self._of_content("response.refusal.done", refusal=part.text)
                self._of_content("response.content_part.done", part=part.content)
            case None:
                self._end_deed(part)

    def _end_text(self, content: wire.WrittenText, text: str, citations: tuple[Citation, ...]) -> None:
        content.text = text
        content.annotations = [
            wire.WrittenCitation(each.url, each.title, each.start, each.end) for each in citations
        ]
        for number, annotation in enumerate(content.annotations):
            self._of_content(
                "response.output_text.annotation.added", annotation_index=number, annotation=annotation
            )
        self._last_text = content
        self._of_content("response.output_text.done", text=text, logprobs=content.logprobs)
        self._of_content("response.content_part.done", part=content)

    def _end_deed(self, part: _OpenPart) -> None:
        if part.started.kind == "thinking":
            self._end_reasoning(part)
        elif part.started.kind == "tool_call":
            self._end_call(part)

    def _end_reasoning(self, part: _OpenPart) -> None:
        thinking = Thinking(text="", signature=part.signature, sealed=part.sealed, origin=part.started.origin)
        encrypted = seals.written(NAME, thinking)
        if part.item is None and encrypted is None:
            return
        item = self._opened_reasoning(part)
        if item.summary:
            item.summary[0].text = part.text
            self._of_item("response.reasoning_summary_text.done", summary_index=0, text=part.text)
            self._of_item("response.reasoning_summary_part.done", summary_index=0, part=item.summary[0])
        item.encrypted_content = encrypted
        self._end_item()

    def _end_call(self, part: _OpenPart) -> None:
        match part.item:
            case wire.WrittenCall():
                if not part.pieces:  # clients parse what a call's pieces add up to
                    self._more(part, "{}")
                part.item.arguments = part.text
                self._of_item(
                    "response.function_call_arguments.done", name=part.item.name, arguments=part.text
                )
                part.item.status = "completed"
            case wire.WrittenCustomCall():
                text = part.text if part.started.freeform else text_of(part.text)
                part.item.input = text
                if text:
                    self._of_item("response.custom_tool_call_input.delta", delta=text)
                self._of_item("response.custom_tool_call_input.done", input=text)
                part.item.status = "completed"
            case _:
                raise AssertionError("a call is an item from its beginning")
        self._end_item()

    def _open_call(self, part: _OpenPart) -> None:
        self._close_message()
        started = part.started
        name, namespace = self._spelling.of(started.name)
        call_id = self._ids.call(started.call_id)
        if self._spelling.takes_text(started):
            item_id = self._ids.custom_call()
            part.item = wire.WrittenCustomCall(item_id, "in_progress", call_id, name, "", namespace)
        else:
            item_id = self._ids.function_call()
            part.item = wire.WrittenCall(item_id, "in_progress", call_id, name, "", namespace)
        self._add_item(part.item)

    def _opened_reasoning(self, part: _OpenPart) -> wire.WrittenReasoning:
        if isinstance(part.item, wire.WrittenReasoning):
            return part.item
        self._close_message()
        part.item = wire.WrittenReasoning(
            id=self._ids.reasoning(part.started.call_id),
            summary=[],
            encrypted_content=seals.opening(NAME, part.started.origin),
        )
        self._add_item(part.item)
        part.item.encrypted_content = None
        return part.item

    def _opened_message(self) -> wire.WrittenMessage:
        if self._message is None:
            self._message = wire.WrittenMessage(self._ids.message(), "in_progress", "assistant", [])
            self._add_item(self._message)
        return self._message

    def _close_message(self) -> None:
        if self._message is not None:
            self._message.status = "completed"
            self._message = None
            self._end_item()

    def _add_item(self, item: wire.WrittenItem) -> None:
        self._output.append(item)
        self._emit("response.output_item.added", output_index=len(self._output) - 1, item=item)

    def _end_item(self) -> None:
        self._emit("response.output_item.done", output_index=len(self._output) - 1, item=self._output[-1])

    def _of_item(self, kind: str, **members: object) -> None:
        """An event of the item being written, which is the last one."""
        item = self._output[-1]
        if isinstance(item, msgspec.Raw):
            raise AssertionError("an opaque item has no pieces")
        self._emit(kind, item_id=item.id, output_index=len(self._output) - 1, **members)

    def _of_content(self, kind: str, **members: object) -> None:
        """An event of the content being written, which is the last one of its message."""
        content = self._message.content if self._message is not None else ()
        self._of_item(kind, content_index=len(content) - 1, **members)

    def _emit(self, kind: str, **members: object) -> None:
        if self._is_silent:
            return
        event = {"type": kind, "sequence_number": self._sequence, **members}
        self._sequence += 1
        self._frames.append(sse_frame(lenient.encode(event), kind))

    def _taken(self) -> bytes:
        taken = b"".join(self._frames)
        self._frames.clear()
        return taken

    def _due_logprobs(self) -> list[wire.WrittenLogprob]:
        due, self._logprobs = self._logprobs, []
        return [_written_logprob(token) for token in due]


def _written_logprob(token: TokenLogprob) -> wire.WrittenLogprob:
    return wire.WrittenLogprob(
        token=token.token,
        logprob=finite(token.logprob),
        bytes=token.bytes,
        top_logprobs=tuple(
            wire.WrittenAlternative(token=rival.token, logprob=finite(rival.logprob), bytes=rival.bytes)
            for rival in token.top
        ),
    )
