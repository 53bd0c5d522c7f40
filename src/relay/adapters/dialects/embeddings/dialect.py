"""What a dialect of embeddings is: the symmetric codec of one endpoint, without I/O.

As for chat, inbound uses `decode_request` and the encoders, outbound `encode_request`, `retarget` and the
decoders. Decoders raise `InvalidRequest` (the client's fault) or an `UpstreamError` (the provider's).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from relay.adapters.dialects.base import ProviderFault, WireError, WireRequest
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest, EmbedResponse, VectorEncoding
from relay.domain.errors import RelayError


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedScene:
    """What an encoder may not invent: the name to echo, how vectors are read, and the clock.

    `started_ns` and `clock_ns()` are unix nanoseconds, the first being when the request was received.
    `input_tokens_estimate` stands in where a dialect has to give a count and the provider gave none.
    """

    model: str
    encoding: VectorEncoding
    started_ns: int
    clock_ns: Callable[[], int]
    input_tokens_estimate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedReading:
    """A provider's answer; `is_as_asked` when its own bytes are what a caller of the dialect may get.

    They are not where a server answers out of order, in another encoding, or without what clients need.
    """

    response: EmbedResponse
    is_as_asked: bool


class EmbeddingDialect(Protocol):
    """The codec of one endpoint. `takes_tokens` where inputs may be lists of token ids."""

    name: EmbeddingDialectName
    content_type: str
    takes_tokens: bool

    def decode_request(self, body: bytes) -> EmbedRequest:
        """Raises `InvalidRequest`."""
        ...

    def encode_request(self, request: EmbedRequest) -> WireRequest:
        """`request.model` is the one for the provider. Raises `Unsupported` for inputs it cannot carry."""
        ...

    def retarget(self, body: bytes, model: str) -> WireRequest:
        """The client's own body with `model` replaced; order kept."""
        ...

    def decode_response(self, body: bytes, request: EmbedRequest) -> EmbedReading:
        """What the provider answered to `request`, its vectors not yet fitted.

        Raises `Malformed`, or the provider's own failure when the body is an error.
        """
        ...

    def rename_response(self, body: bytes, model: str) -> bytes:
        """An answer of this dialect with the model's name replaced and nothing else."""
        ...

    def encode_response(self, response: EmbedResponse, scene: EmbedScene) -> bytes:
        """The whole answer."""
        ...

    def decode_error(self, body: bytes) -> ProviderFault:
        """What an error body of this dialect says. Never raises."""
        ...

    def encode_error(self, error: RelayError) -> WireError:
        """An error in place of an answer."""
        ...
