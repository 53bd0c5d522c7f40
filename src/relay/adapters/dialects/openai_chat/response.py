"""Whole answers from a provider: decoded, or passed on under another name."""

from collections.abc import Mapping, Sequence

from relay.adapters.dialects import splice
from relay.adapters.dialects.openai_chat.chunks import members_of, read_chunk
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


def rename_response(body: bytes, model: str) -> bytes:
    """The body with `model` replaced and nothing else. Raises `Malformed`."""
    members = members_of(body)
    members["model"] = splice.raw(model)
    return splice.assemble(members)
