"""Cohere's chat, version 2: what providers of the kind cohere are called in.

No client is served in it; the client half holds the codec to its own laws.
"""

import re
from collections.abc import Sequence
from typing import Literal

from relay.adapters.dialects import splice, sse_answers
from relay.adapters.dialects.base import COMMENT, Dialect, Scene, StreamDecoder, StreamTap
from relay.adapters.dialects.cohere_v2 import errors, request, writing
from relay.adapters.dialects.cohere_v2.norm import POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.adapters.dialects.cohere_v2.reading import NAME, AnswerReader
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.members import Members, object_in, one_line, text
from relay.domain.chat import DialectName
from relay.domain.events import ChatResponse, StreamEvent

_KIND = re.compile(r"[a-z-]{1,64}")


class CohereV2:
    """The codec; see `Dialect` for what each method promises."""

    name: DialectName = NAME
    framing: Literal["sse", "ndjson"] = "sse"
    stream_content_type = "text/event-stream"
    whole_content_type = errors.CONTENT_TYPE
    keep_alive = COMMENT

    peek = staticmethod(request.peek)
    retarget = staticmethod(request.retarget)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    encode_response = staticmethod(writing.encode_response)
    encoder = staticmethod(writing.encoder)
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)

    def decode_response(self, body: bytes) -> ChatResponse:
        """A stream is read too."""
        return sse_answers.read_whole(AnswerReader(), body)

    def glance(self, body: bytes) -> Sequence[StreamEvent] | None:
        """What the decoder counts."""
        return sse_answers.glanced(self.decode_response, body)

    def rename_response(self, body: bytes, model: str) -> bytes:
        """No answer names its model."""
        return splice.assemble(object_in(body))

    def decoder(self) -> StreamDecoder:
        """A fresh decoder."""
        return sse_answers.Decoder(AnswerReader())

    def tap(self, scene: Scene) -> StreamTap:
        """A fresh tap; usage is in every stream."""
        return sse_answers.Tap(AnswerReader(), frame=_passed, encoder=lambda: writing.encoder(scene))


def _passed(event: Members) -> bytes:
    kind = text(event.get("type"))
    return sse_frame(one_line(event), kind if _KIND.fullmatch(kind) else "")


DIALECT: Dialect = CohereV2()

__all__ = ["DIALECT", "POVERTY", "REQUEST_POVERTY", "norm", "norm_request"]
