"""OpenAI's legacy Completions, spoken with clients alone: providers are called by their chat, or by generate."""

from typing import Literal

from relay.adapters.dialects.base import COMMENT, ClientDialect
from relay.adapters.dialects.openai_chat import errors
from relay.adapters.dialects.openai_completions import request, writing
from relay.adapters.dialects.openai_completions.norm import POVERTY, REQUEST_POVERTY, norm
from relay.adapters.dialects.openai_completions.writing import Encoder
from relay.domain.chat import DialectName


class OpenAICompletions:
    """The codec; see `ClientDialect` for what each method promises."""

    name: DialectName = request.NAME
    framing: Literal["sse", "ndjson"] = "sse"
    stream_content_type = "text/event-stream; charset=utf-8"
    whole_content_type = "application/json"
    keep_alive = COMMENT

    peek = staticmethod(request.peek)
    decode_request = staticmethod(request.decode_request)
    encode_response = staticmethod(writing.encode_response)
    encoder = Encoder
    encode_error = staticmethod(errors.encode_error)


DIALECT: ClientDialect = OpenAICompletions()

__all__ = ["DIALECT", "POVERTY", "REQUEST_POVERTY", "norm"]
