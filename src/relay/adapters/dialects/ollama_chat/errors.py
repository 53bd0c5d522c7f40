"""Errors: `{"error": "text"}` before an answer and, as a line of its own, within one."""

import re

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import ProviderFault, WireError
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.ollama_chat import wire
from relay.adapters.dialects.ollama_chat.writing import encoded
from relay.domain.errors import LacksCapability, RelayError, UnknownModel, UpstreamError

CONTENT_TYPE = "application/json; charset=utf-8"


_body = msgspec.json.Decoder(wire.ErrorBody)
_error = msgspec.json.Decoder(str | wire.ErrorDetail)

_UNKNOWN_MODEL = re.compile(r"""model (['"]).*\1 not found""")
"""Ollama has no codes; OpenAI's clients tell an unknown model from a wrong address by one."""

_IN_STREAM_STATUS = 500
"""Ollama tells no status within a stream; it fails there with what would have been its default."""


def error_text(error: RelayError, doing: str = "chat") -> str:
    """The words of a failure, Ollama's own where clients look for them; `doing` is what was asked of a model."""
    match error:
        case UnknownModel(name=name):
            text = f"model '{name}' not found"
        case LacksCapability(model=model, capability="completion"):
            text = f'"{model}" does not support {doing}'
        case LacksCapability(model=model, capability="tools" | "insert" as capability):
            text = f"{_full_name(model)} does not support {capability}"
        case _:
            text = error.message
    return lenient.clean_text(text)


def encode_error(error: RelayError, doing: str = "chat") -> WireError:
    """An error before the first byte."""
    return WireError(
        status=error.status, body=encoded({"error": error_text(error, doing)}), content_type=CONTENT_TYPE
    )


def decode_error(body: bytes) -> ProviderFault:
    """What an error body says; empty texts for anything that is not Ollama's shape."""
    try:
        return _fault(_body.decode(body).error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ProviderFault()


def line_failure(error: Raw) -> UpstreamError:
    """The failure a line of an answer tells of."""
    fault = _fault(error)
    return upstream_failure(_IN_STREAM_STATUS, fault.message, fault.code)


def _full_name(model: str) -> str:
    """The name with the registry, the namespace and the tag that Ollama takes for granted."""
    tagged = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    missing = ("registry.ollama.ai/library/", "registry.ollama.ai/", "")
    return missing[min(model.count("/"), 2)] + tagged


def _fault(error: Raw) -> ProviderFault:
    """Ollama's error is a text; some servers that imitate it send OpenAI's object."""
    try:
        said = _error.decode(error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ProviderFault()
    if isinstance(said, str):
        return ProviderFault(message=said, code="model_not_found" if _UNKNOWN_MODEL.match(said) else "")
    return ProviderFault(message=said.message, code="" if said.code is None else str(said.code))
