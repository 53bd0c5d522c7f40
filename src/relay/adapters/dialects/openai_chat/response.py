"""Whole answers from a provider: decoded, or passed on under another name."""

from relay.adapters.dialects import splice
from relay.adapters.dialects.openai_chat.chunks import members_of
from relay.adapters.dialects.openai_chat.reading import read_whole
from relay.adapters.dialects.openai_chat.stream import Decoder
from relay.domain.errors import Interrupted, Malformed
from relay.domain.events import ChatResponse
from relay.domain.folding import fold


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


def rename_response(body: bytes, model: str) -> bytes:
    """The body with `model` replaced and nothing else. Raises `Malformed`."""
    members = members_of(body)
    members["model"] = splice.raw(model)
    return splice.assemble(members)
