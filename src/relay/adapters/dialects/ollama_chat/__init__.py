"""The dialect of Ollama's native chat, `/api/chat`."""

from collections.abc import Sequence
from typing import Literal

from relay.adapters.dialects.base import (
    Dialect,
    EditMembers,
    Envelope,
    ProviderFault,
    Scene,
    StreamDecoder,
    StreamEncoder,
    StreamTap,
    WireError,
    WireRequest,
)
from relay.adapters.dialects.ollama_chat import errors, provider_request, request, response, stream
from relay.adapters.dialects.ollama_chat.norm import POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.adapters.dialects.ollama_chat.request import load_or_unload
from relay.adapters.dialects.ollama_chat.tap import Tap
from relay.domain.chat import ChatRequest, DialectName
from relay.domain.errors import RelayError
from relay.domain.events import ChatResponse, StreamEvent


class OllamaChat:
    """The codec; see `Dialect` for what each method promises."""

    name: DialectName = request.NAME
    framing: Literal["sse", "ndjson"] = "ndjson"
    stream_content_type: str = "application/x-ndjson"
    whole_content_type: str = errors.CONTENT_TYPE
    keep_alive = b""

    def peek(self, body: bytes) -> Envelope:
        return request.peek(body)

    def decode_request(self, body: bytes) -> ChatRequest:
        return request.decode_request(body)

    def encode_request(self, request: ChatRequest) -> WireRequest:
        return provider_request.encode_request(request)

    def retarget(
        self, body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None
    ) -> WireRequest:
        """`count_usage` changes nothing: the last line of a stream always has the counts."""
        return provider_request.retarget(body, model, edit)

    def decode_response(self, body: bytes) -> ChatResponse:
        return response.decode_response(body)

    def encode_response(self, response_: ChatResponse, scene: Scene) -> bytes:
        return response.encode_response(response_, scene)

    def glance(self, body: bytes) -> Sequence[StreamEvent] | None:
        return response.glance(body)

    def rename_response(self, body: bytes, model: str) -> bytes:
        return response.rename_response(body, model)

    def decoder(self) -> StreamDecoder:
        return stream.Decoder()

    def encoder(self, scene: Scene) -> StreamEncoder:
        return stream.Encoder(scene)

    def tap(self, scene: Scene) -> StreamTap:
        return Tap(scene)

    def decode_error(self, body: bytes) -> ProviderFault:
        return errors.decode_error(body)

    def encode_error(self, error: RelayError) -> WireError:
        return errors.encode_error(error)


DIALECT: Dialect = OllamaChat()

__all__ = ["DIALECT", "POVERTY", "REQUEST_POVERTY", "load_or_unload", "norm", "norm_request"]
