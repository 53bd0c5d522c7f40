"""Google's Gemini API, `generateContent`: what providers of the kind gemini are called in.

No client is served in it, as its clients name the model in the path. The client half is there all the same: it
holds the codec to its own laws.
"""

from collections.abc import Sequence
from typing import Literal

from relay.adapters.dialects import sse_answers
from relay.adapters.dialects.base import COMMENT, Dialect, Scene, StreamDecoder, StreamTap
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.gemini_generate import errors, request, writing
from relay.adapters.dialects.gemini_generate.norm import POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.adapters.dialects.gemini_generate.reading import NAME, AnswerReader
from relay.adapters.dialects.members import object_in, renamed
from relay.domain.chat import DialectName
from relay.domain.events import ChatResponse, StreamEvent


class GeminiGenerate:
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
        """A stream is read too, and the array that one without `alt=sse` is."""
        return sse_answers.read_whole(AnswerReader(), body)

    def glance(self, body: bytes) -> Sequence[StreamEvent] | None:
        """What the decoder counts."""
        return sse_answers.glanced(self.decode_response, body)

    def rename_response(self, body: bytes, model: str) -> bytes:
        """The model is called `modelVersion` in answers."""
        return renamed(object_in(body), "modelVersion", model)

    def decoder(self) -> StreamDecoder:
        """A fresh decoder."""
        return sse_answers.Decoder(AnswerReader())

    def tap(self, scene: Scene) -> StreamTap:
        """A fresh tap; usage is in every stream."""
        return sse_answers.Tap(
            AnswerReader(),
            frame=lambda event: sse_frame(renamed(event, "modelVersion", scene.model)),
        )


DIALECT: Dialect = GeminiGenerate()

__all__ = ["DIALECT", "POVERTY", "REQUEST_POVERTY", "norm", "norm_request"]
