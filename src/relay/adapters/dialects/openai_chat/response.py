"""Whole answers from a provider: decoded, or passed on under another name."""

import re
from collections.abc import Mapping, Sequence

from relay.adapters.dialects import splice
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.chunks import members_of, read_chunk, regular_chunk
from relay.adapters.dialects.openai_chat.reading import read_whole
from relay.adapters.dialects.openai_chat.stream import Decoder
from relay.adapters.dialects.openai_chat.usage import usage_in
from relay.domain.errors import Interrupted, Malformed, UpstreamError
from relay.domain.events import ChatResponse, Finished, FinishReason, StreamEvent, UsageReported
from relay.domain.folding import fold

_GLANCED: Mapping[str | None, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


_OBJECT = re.compile(rb'"object"\s*:\s*"chat\.completion"')
_OBJECT_WITHIN_BYTES = 256


def decode_response(body: bytes) -> ChatResponse:
    """The canonical answer; a stream is read too, as some servers answer everything with one.

    Raises `Malformed`, also when the answer is not finished, or the provider's own failure.
    """
    if not body.lstrip().startswith((b"data:", b":", b"event:")):
        return read_whole(body)
    decoder = Decoder()
    try:
        return fold([*decoder.feed(body), *decoder.close()])
    except Interrupted as error:
        raise Malformed(error.message) from None


def glance(body: bytes) -> Sequence[StreamEvent] | None:
    """The counts and the finish of a regular answer; see `Dialect.glance`."""
    try:
        chunk = read_chunk(body)
    except UpstreamError:
        return None
    return _glanced(chunk)


def _glanced(chunk: wire.Chunk) -> Sequence[StreamEvent] | None:
    usage = usage_in(chunk.usage)
    if usage is None or usage.output_tokens is None or chunk.error or not chunk.choices:
        return None
    if any(
        choice.message is None or choice.error or choice.finish_reason not in _GLANCED
        for choice in chunk.choices
    ):
        return None
    word = chunk.choices[0].finish_reason or ""
    return UsageReported(usage=usage), Finished(reason=_GLANCED[word], raw_reason=word)


def glance_exact(body: bytes) -> Sequence[StreamEvent] | None:
    """As `glance`, of an answer that is to the letter what OpenAI itself would send.

    Those of the servers compatible with it are passed on when they are, and written anew when they are not.
    """
    if _OBJECT.search(body, 0, _OBJECT_WITHIN_BYTES) is None:
        return None
    chunk = regular_chunk(body)
    if chunk is None:
        return None
    usage = chunk.usage
    if not (chunk.id and chunk.model and chunk.created and isinstance(usage, dict)):
        return None
    tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (
        type(tokens_in) is type(tokens_out) is int and usage.get("total_tokens") == tokens_in + tokens_out
    ):
        return None
    if chunk.x_groq or chunk.citations or chunk.search_results:
        return None
    choices = chunk.choices or ()
    if not all(_is_exact(choice, index) for index, choice in enumerate(choices)):
        return None
    return _glanced(chunk)


def _is_exact(choice: wire.Choice, index: int) -> bool:
    message = choice.message
    return (
        choice.index == index
        and message is not None
        and message.role == "assistant"
        and not isinstance(message.content, list)
        and (message.content is not None or bool(message.tool_calls))
        and not (message.reasoning_content or message.reasoning or message.annotations)
        and message.reasoning_details is None
        and all(call.id and call.function and call.function.arguments for call in message.tool_calls or ())
        and (choice.finish_reason == "tool_calls") >= bool(message.tool_calls)
    )


def rename_response(body: bytes, model: str) -> bytes:
    """The body with `model` replaced and nothing else. Raises `Malformed`."""
    members = members_of(body)
    members["model"] = splice.raw(model)
    return splice.assemble(members)
