"""Anthropic's Messages API, as Claude, Claude Code and the official SDKs speak it."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Raw

from relay.adapters.dialects import sse_answers
from relay.adapters.dialects.anthropic_messages import envelope, errors, request, writing
from relay.adapters.dialects.anthropic_messages.messages import NAME
from relay.adapters.dialects.anthropic_messages.norm import (
    POVERTY,
    REQUEST_POVERTY,
    norm,
    norm_request,
)
from relay.adapters.dialects.anthropic_messages.reading import AnswerReader
from relay.adapters.dialects.anthropic_messages.writing import Encoder, frame
from relay.adapters.dialects.base import Dialect, EditMembers, Scene, StreamDecoder, StreamTap, WireRequest
from relay.adapters.dialects.members import Members, is_said, members, object_in, renamed, text
from relay.domain.chat import DialectName
from relay.domain.events import ChatResponse, StreamEvent


class AnthropicMessages:
    """The codec; see `Dialect` for what each method promises."""

    name: DialectName = NAME
    framing: Literal["sse", "ndjson"] = "sse"
    stream_content_type = "text/event-stream; charset=utf-8"
    whole_content_type = errors.CONTENT_TYPE
    keep_alive = b'event: ping\ndata: {"type": "ping"}\n\n'

    peek = staticmethod(envelope.peek)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    encode_response = staticmethod(writing.encode_response)
    encoder = Encoder
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)

    def retarget(
        self, body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None
    ) -> WireRequest:
        """Every answer has usage: there is nothing to ask for."""
        return envelope.retarget(body, model, edit)

    def decode_response(self, body: bytes) -> ChatResponse:
        """A stream is read too."""
        return sse_answers.read_whole(AnswerReader(), body)

    def glance(self, body: bytes) -> Sequence[StreamEvent] | None:
        """What the decoder counts."""
        return sse_answers.glanced(self.decode_response, body)

    def rename_response(self, body: bytes, model: str) -> bytes:
        """The body with `model` replaced and nothing else."""
        return renamed(object_in(body), "model", model)

    def decoder(self) -> StreamDecoder:
        """A fresh decoder."""
        return sse_answers.Decoder(AnswerReader())

    def tap(self, scene: Scene) -> StreamTap:
        """A fresh tap; usage is in every stream."""
        return sse_answers.Tap(
            AnswerReader(),
            frame=lambda event: _passed(event, scene.model),
            encoder=lambda: Encoder(scene),
        )


def _passed(event: Members, model: str) -> bytes:
    """An event as it was, but for the model's name in its message."""
    message = event.get("message")
    if message is not None and is_said(message) and members(message):
        event = {**event, "message": Raw(renamed(members(message), "model", model))}
    return frame(renamed(event, "type", text(event.get("type"))), text(event.get("type")))


DIALECT: Dialect = AnthropicMessages()

__all__ = ["DIALECT", "NAME", "POVERTY", "REQUEST_POVERTY", "norm", "norm_request"]
