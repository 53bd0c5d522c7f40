"""OpenAI's Chat Completions, as OpenAI and the many servers compatible with it speak it."""

from typing import Literal

from relay.adapters.dialects.base import COMMENT, Dialect
from relay.adapters.dialects.openai_chat import envelope, errors, request, response, writing
from relay.adapters.dialects.openai_chat.norm import POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.adapters.dialects.openai_chat.response import glance_exact
from relay.adapters.dialects.openai_chat.stream import Decoder
from relay.adapters.dialects.openai_chat.tap import Tap
from relay.adapters.dialects.openai_chat.writing import Encoder
from relay.domain.chat import DialectName


class OpenAIChat:
    """The codec; see `Dialect` for what each method promises."""

    name: DialectName = request.NAME
    framing: Literal["sse", "ndjson"] = "sse"
    stream_content_type = "text/event-stream; charset=utf-8"
    whole_content_type = "application/json"
    keep_alive = COMMENT

    peek = staticmethod(envelope.peek)
    retarget = staticmethod(envelope.retarget)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    decode_response = staticmethod(response.decode_response)
    glance = staticmethod(response.glance)
    rename_response = staticmethod(response.rename_response)
    encode_response = staticmethod(writing.encode_response)
    decoder = Decoder
    encoder = Encoder
    tap = Tap
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)


DIALECT: Dialect = OpenAIChat()

__all__ = ["DIALECT", "POVERTY", "REQUEST_POVERTY", "glance_exact", "norm", "norm_request"]
