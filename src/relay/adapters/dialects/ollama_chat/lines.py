"""Answers from a provider: its lines out of bytes, and events out of lines."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from relay.adapters.dialects import lenient
from relay.adapters.dialects.framing import LineSplitter
from relay.adapters.dialects.ollama_chat import wire
from relay.adapters.dialects.ollama_chat.calls import made_id
from relay.adapters.dialects.ollama_chat.errors import line_failure
from relay.adapters.dialects.ollama_chat.reading import given, regular_json
from relay.adapters.dialects.ollama_chat.shape import LineShape
from relay.domain.chat import ToolCall
from relay.domain.errors import Interrupted, Malformed, UpstreamError
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
    TokenAlternative,
    TokenLogprob,
    UsageReported,
)
from relay.domain.usage import MAX_COUNT, Usage

_string = msgspec.json.Decoder(str)

_SLOTS: dict[PartKind, int] = {"thinking": 0, "text": 1}
"""The part indexes of what a message has one of; its calls follow."""


def read_line(data: bytes, shape: LineShape) -> tuple[bytes, wire.Line]:
    """A line with its bytes. Raises `Malformed`, or the failure that the line tells of."""
    data, line = parsed_line(data, shape)
    if given(line.error):
        raise line_failure(line.error)
    return data, line


def parsed_line(data: bytes, shape: LineShape) -> tuple[bytes, wire.Line]:
    """A line, and its bytes, put right if they were irregular. Raises `Malformed`."""
    try:
        if not data.isascii():
            data.decode()  # the decoder passes over what it does not read
        return data, shape.read(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        data = regular_json(data)
        return data, shape.read(data)
    except (lenient.Undecodable, msgspec.MsgspecError, RecursionError) as error:
        raise Malformed(f"the provider's answer cannot be read: {error}") from None


class LineFeed:
    """Lines out of a provider's bytes, up to the last one of the answer; what follows it is ignored."""

    def __init__(self, shape: LineShape) -> None:
        self._shape = shape
        self._splitter = LineSplitter()
        self._over = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, wire.Line]]:
        """The lines these bytes complete, each with its bytes. Raises `UpstreamError` once, then gives nothing."""
        if self._over:
            return
        try:
            yield from self._parsed(self._splitter.feed(data))
        except UpstreamError:
            self._over = True
            raise

    def close(self) -> Iterator[tuple[bytes, wire.Line]]:
        """The line the stream ended in. Raises `UpstreamError`: `Interrupted` when the answer is not complete."""
        if self._over:
            return
        rest = self._splitter.close()
        try:
            yield from self._parsed(rest)
        except Malformed:
            if not rest[0].lstrip().startswith(b"{"):
                raise
            # An object cut off in the middle: it is the connection that broke.
        if not self._over:
            raise Interrupted("the provider's stream ended before its finish marker")

    def _parsed(self, lines: Sequence[bytes]) -> Iterator[tuple[bytes, wire.Line]]:
        for raw in lines:
            if raw.isspace():
                continue
            data, line = read_line(raw, self._shape)
            self._over = bool(line.done)
            yield data, line
            if self._over:
                return


class LineReader:
    """Events out of lines.

    Theory of operation. A message has one thinking, one content and any number of calls, and a whole answer says
    nothing of their order. So their part indexes are fixed, and a stream folds to the same answer as the whole
    body, also when a model thinks after it has begun to speak. Thinking and content stay open to the last line.
    """

    def __init__(self) -> None:
        self._started = False
        self._open: list[int] = []
        self._call_count = 0

    def take(self, line: wire.Line) -> list[StreamEvent]:
        """The events of one line."""
        events: list[StreamEvent] = []
        if not self._started:
            self._started = True
            events.append(Started(model=line.model or ""))
        if line.logprobs:
            # Before the text of the same line: whoever writes tokens with their probabilities has both at once.
            events.append(LogprobsReported(tokens=_logprobs(line.logprobs)))
        message = line.message
        if message is not None:
            if message.thinking:
                self._say("thinking", message.thinking, events)
            if message.content:
                self._say("text", message.content, events)
            if message.tool_calls:
                self._call(message.tool_calls, bytes(line.created_at), events)
        if line.done:
            self._finish(line, events)
        return events

    def _say(self, kind: PartKind, text: str, events: list[StreamEvent]) -> None:
        index = _SLOTS[kind]
        if index not in self._open:
            self._open.append(index)
            events.append(PartStarted(index=index, kind=kind))
        events.append(PartDelta(index=index, text=text))

    def _call(self, calls: list[wire.AnsweredCall], created: bytes, events: list[StreamEvent]) -> None:
        for written in calls:
            call = _read_call(written, created, self._call_count)
            index = len(_SLOTS) + self._call_count
            self._call_count += 1
            events.append(PartStarted(index=index, kind="tool_call", call_id=call.id, name=call.name))
            events.append(PartDelta(index=index, text=call.arguments))
            events.append(PartEnded(index=index))

    def _finish(self, line: wire.Line, events: list[StreamEvent]) -> None:
        """Ollama says `stop` also when the model calls tools."""
        events.extend(PartEnded(index=index) for index in self._open)
        usage = _usage(line)
        if usage is not None:
            events.append(UsageReported(usage=usage))
        raw = line.done_reason or ""
        reason: FinishReason = "length" if raw == "length" else "tool_calls" if self._call_count else "stop"
        events.append(Finished(reason=reason, raw_reason=raw))


def _read_call(call: wire.AnsweredCall, created: bytes, index: int) -> ToolCall:
    """A call; servers before 0.12.10 give no id, so one is made that no other answer is likely to have."""
    function = call.function or wire.AnsweredFunction()
    # Escaped as in all that is passed on, so that a call reads the same whether its line passed or not.
    arguments = lenient.escape_separators(given(function.arguments)).decode() or "{}"
    if arguments.startswith('"'):  # some servers that imitate Ollama send OpenAI's string
        arguments = _string.decode(arguments.encode())
    name = function.name or ""
    return ToolCall(id=call.id or made_id(created, index, name), name=name, arguments=arguments)


def _logprobs(tokens: Iterable[wire.TokenLogprob]) -> tuple[TokenLogprob, ...]:
    """The neutral form."""
    return tuple(
        TokenLogprob(
            token=token.token,
            logprob=token.logprob,
            bytes=tuple(token.bytes or ()),
            top=tuple(
                TokenAlternative(token=other.token, logprob=other.logprob, bytes=tuple(other.bytes or ()))
                for other in token.top_logprobs or ()
            ),
        )
        for token in tokens
    )


def _usage(line: wire.Line) -> Usage | None:
    """The counts of the last line; a missing one is not reported, and an impossible one is not believed."""
    prompt, output = _count(line.prompt_eval_count), _count(line.eval_count)
    if prompt is None and output is None:
        return None
    return Usage(input_tokens=prompt, output_tokens=output)


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count and isinstance(value, int) else None
