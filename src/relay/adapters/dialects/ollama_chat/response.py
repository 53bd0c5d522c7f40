"""Whole answers, which are a single line."""

from collections.abc import Sequence

from relay.adapters.dialects import splice
from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import wire
from relay.adapters.dialects.ollama_chat.lines import LineReader, parsed_line, read_line
from relay.adapters.dialects.ollama_chat.shape import CHAT, LineShape
from relay.adapters.dialects.ollama_chat.writing import ROLE, last_line, wire_call
from relay.domain.chat import Refusal, Text, Thinking, ToolCall
from relay.domain.errors import Malformed, UpstreamError
from relay.domain.events import AnswerPart, ChatResponse, StreamEvent
from relay.domain.folding import fold


def decode_response(body: bytes, shape: LineShape = CHAT) -> ChatResponse:
    """A stream of one line. Raises `Malformed`, also when it is not finished, or the provider's own failure."""
    _, line = read_line(body, shape)
    if not line.done:
        raise Malformed("the provider's answer is not finished")
    return fold(LineReader().take(line))


def encode_response(response: ChatResponse, scene: Scene, shape: LineShape = CHAT) -> bytes:
    """The whole answer as one object; only the first choice, as there is no place for more."""
    choice = next((choice for choice in response.choices if choice.index == 0), None)
    thinking, content, calls = visible(choice.parts if choice else ())
    message = wire.AnswerMessage(
        role=ROLE,
        content=content,
        thinking=thinking or None,
        tool_calls=[wire_call(index, call) for index, call in enumerate(calls)] or None,
    )
    line = last_line(
        scene,
        message,
        finish=choice.finish if choice else None,
        usage=response.usage,
        logprobs=choice.logprobs if choice else (),
    )
    return shape.write(line)


def glance(body: bytes, shape: LineShape = CHAT) -> Sequence[StreamEvent] | None:
    """The events of a finished answer with its counts; see `Dialect.glance`."""
    try:
        _, line = read_line(body, shape)
    except UpstreamError:
        return None
    return LineReader().take(line) if line.done and line.eval_count is not None else None


def rename_response(body: bytes, model: str, shape: LineShape = CHAT) -> bytes:
    """A whole answer with the model's name replaced. Raises `Malformed`."""
    members = splice.top_level(parsed_line(body, shape)[0])
    members["model"] = splice.raw(model)
    return splice.assemble(members)


def visible(parts: Sequence[AnswerPart]) -> tuple[str, str, list[ToolCall]]:
    """Thinking, content and calls: a message has one of each kind, whatever the order they came in."""
    thinking = "".join(part.text for part in parts if isinstance(part, Thinking))
    content = "".join(part.text for part in parts if isinstance(part, Text | Refusal))
    return thinking, content, [part for part in parts if isinstance(part, ToolCall)]
