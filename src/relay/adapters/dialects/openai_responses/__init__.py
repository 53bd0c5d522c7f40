"""OpenAI's Responses, as OpenAI, xAI, Perplexity's Agent API and compatible servers speak it."""

from dataclasses import replace
from typing import Literal

from relay.adapters.dialects.base import Dialect, EditMembers, WireRequest
from relay.adapters.dialects.openai_chat import errors
from relay.adapters.dialects.openai_responses import answers, envelope, writing
from relay.adapters.dialects.openai_responses.content import NAME
from relay.adapters.dialects.openai_responses.norm import POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.adapters.dialects.openai_responses.request import decode_request, encode_request
from relay.adapters.dialects.openai_responses.writing import Encoder
from relay.domain.chat import ChatRequest, DialectName


class OpenAIResponses:
    """The codec; see `Dialect` for what each method promises. Errors are those of OpenAI's chat.

    `path` is where a provider takes requests, below its base URL.
    """

    name: DialectName = NAME
    framing: Literal["sse", "ndjson"] = "sse"
    stream_content_type = "text/event-stream; charset=utf-8"
    whole_content_type = "application/json"
    keep_alive = b'event: keepalive\ndata: {"type":"keepalive"}\n\n'

    peek = staticmethod(envelope.peek)
    decode_request = staticmethod(decode_request)
    decode_response = staticmethod(answers.decode_response)
    glance = staticmethod(answers.glance)
    rename_response = staticmethod(answers.rename_response)
    encode_response = staticmethod(writing.encode_response)
    decoder = staticmethod(answers.decoder)
    encoder = Encoder
    tap = staticmethod(answers.tap)
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)

    def __init__(self, path: str = envelope.PATH) -> None:
        self._path = path

    def retarget(
        self, body: bytes, model: str, *, count_usage: bool, edit: EditMembers | None = None
    ) -> WireRequest:
        """As `Dialect.retarget`."""
        return replace(envelope.retarget(body, model, count_usage=count_usage, edit=edit), path=self._path)

    def encode_request(self, request: ChatRequest) -> WireRequest:
        """As `ProviderDialect.encode_request`."""
        return replace(encode_request(request), path=self._path)


def at(path: str) -> Dialect:
    """The dialect of a provider that takes it at another path."""
    return OpenAIResponses(path)


DIALECT: Dialect = OpenAIResponses()

__all__ = ["DIALECT", "POVERTY", "REQUEST_POVERTY", "at", "norm", "norm_request"]
