"""OpenAI's Responses, as OpenAI, xAI, Perplexity's Agent API and compatible servers speak it."""

from typing import Literal

from relay.adapters.dialects.base import Dialect
from relay.adapters.dialects.openai_chat import errors
from relay.adapters.dialects.openai_responses import answers, envelope, request, writing
from relay.adapters.dialects.openai_responses.content import NAME
from relay.adapters.dialects.openai_responses.norm import POVERTY, REQUEST_POVERTY, norm, norm_request
from relay.adapters.dialects.openai_responses.writing import Encoder
from relay.domain.chat import DialectName


class OpenAIResponses:
    """The codec; see `Dialect` for what each method promises. Errors are those of OpenAI's chat."""

    name: DialectName = NAME
    framing: Literal["sse", "ndjson"] = "sse"
    stream_content_type = "text/event-stream; charset=utf-8"
    whole_content_type = "application/json"

    peek = staticmethod(envelope.peek)
    retarget = staticmethod(envelope.retarget)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    decode_response = staticmethod(answers.decode_response)
    glance = staticmethod(answers.glance)
    rename_response = staticmethod(answers.rename_response)
    encode_response = staticmethod(writing.encode_response)
    decoder = staticmethod(answers.decoder)
    encoder = Encoder
    tap = staticmethod(answers.tap)
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)


DIALECT: Dialect = OpenAIResponses()

__all__ = ["DIALECT", "POVERTY", "REQUEST_POVERTY", "norm", "norm_request"]
