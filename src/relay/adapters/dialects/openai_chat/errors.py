"""Errors of the dialect: what providers' error bodies say, and what clients get.

Providers answer with more shapes than OpenAI's: OpenRouter and Google put numbers into `code`, Google wraps the
object in an array, vLLM and Mistral have no `error` member, Mistral and DeepInfra say `detail`, xAI and Ollama
make `error` a text. One reading serves error replies, errors inside a 200 body and errors inside a stream.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import ProviderFault, WireError
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.openai_chat import wire
from relay.domain.errors import RelayError, UpstreamError

_STATUSES = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "context_length_exceeded": 400,
    "max_tokens_exceeded": 400,
    "token_limit_exceeded": 400,
    "string_too_long": 400,
    "invalid_prompt": 400,
    "content_policy_violation": 403,
    "refusal": 403,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "authentication": 401,
    "payment_required": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found": 404,
    "model_not_found": 404,
    "timeout": 408,
    "payload_too_large": 413,
    "unprocessable": 422,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "slow_down": 429,
    "insufficient_quota": 429,
    "credit_balance_exhausted": 429,
    "provider_unavailable": 502,
    "provider_overloaded": 503,
    "overloaded_error": 503,
    "server_is_overloaded": 503,
}
"""What an error that comes without a status stands for, by its code or else its type; anything else is 500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A provider's error: `status` is the one it names or stands for."""

    status: int
    message: str = ""
    code: str = ""

    def failure(self) -> UpstreamError:
        """The same in the relay's taxonomy."""
        return upstream_failure(self.status, self.message, self.code)


def fault_in(value: object, *, is_error: bool = False) -> Fault | None:
    """The error that a decoded JSON value speaks of, if any.

    With `is_error` the value is known to be an error (its HTTP status or event name says so), so that a bare
    `message` counts as one too.
    """
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if isinstance(error, dict) and error:
        return _fault(error, value)
    if error:
        return _fault({**value, "message": error}, value)
    is_flat = value.get("object") == "error" or "detail" in value
    if "choices" not in value and (is_flat or (is_error and "message" in value)):
        return _fault(value, value)
    return None


def decode_error(body: bytes) -> ProviderFault:
    """What an error reply says. Never raises: what is not JSON says nothing."""
    try:
        fault = fault_in(lenient.loads(body), is_error=True)
    except lenient.Undecodable:
        return ProviderFault()
    return ProviderFault(message=fault.message, code=fault.code) if fault else ProviderFault()


def encode_error(error: RelayError) -> WireError:
    """An error reply: `{"error": {message, type, param, code}}`, all four keys always there."""
    return WireError(status=error.status, body=_body(error), content_type="application/json")


def in_band_error(error: RelayError) -> bytes:
    """The event that ends a stream gone wrong."""
    return sse_frame(_body(error))


def _body(error: RelayError) -> bytes:
    detail = wire.ErrorDetail(
        message=lenient.clean_text(error.message),
        # OpenAI calls every 503 a server_error, also one that a provider caused.
        type="server_error" if error.status == 503 else error.kind,
        param=error.param,
        code=error.code,
    )
    return lenient.encode(wire.ErrorBody(error=detail))


def _fault(error: Mapping[str, object], whole: Mapping[str, object]) -> Fault:
    """`error` holds the words, `whole` the object around it; both may hold a number that is a status."""
    code, kind, metadata = _word(error.get("code")), _word(error.get("type")), error.get("metadata")
    if not code:
        code = _word(_member(metadata, "error_type")) or _word(error.get("status"))
    if not code and _member(metadata, "reasons"):  # OpenRouter's 403 of a moderation
        code = "content_policy_violation"
    numbers = (error.get("code"), error.get("status_code"), error.get("status"), whole.get("raw_status_code"))
    named = next((number for raw in numbers if (number := _status(raw))), None)
    status = named or _STATUSES.get(code.lower()) or _STATUSES.get(kind.lower()) or 500
    message = _text(error.get("message")) or _text(error.get("detail"))
    if told := _relayed(_member(metadata, "raw")):
        message = f"{message}: {told}"
    return Fault(status=status, message=lenient.clean_text(message), code=code or _coded(kind))


def _relayed(raw: object) -> str:
    """What OpenRouter's own provider said: a text, or an error in JSON as a text."""
    if not isinstance(raw, str):
        return _text(raw)
    try:
        fault = fault_in(lenient.loads(raw.encode(errors="replace")), is_error=True)
    except lenient.Undecodable:
        return raw
    return fault.message if fault else raw


def _coded(kind: str) -> str:
    """A type that is a reason of its own; the broad ones are not."""
    return kind if kind in _STATUSES and not kind.endswith("_error") else ""


def _status(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    return value if isinstance(value, int) and 400 <= value <= 599 else None


def _word(value: object) -> str:
    return value if isinstance(value, str) and not _status(value) else ""


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: object, depth: int = 3) -> str:
    """A message as text: FastAPI's `detail` is a list of `{loc, msg}`, which Mistral wraps once more."""
    match value:
        case str():
            return value
        case dict() if depth:
            told = value.get("message") or value.get("msg") or value.get("detail") or value.get("error")
            return _text(told, depth - 1)
        case list() if depth:
            return "; ".join(text for item in value if (text := _text(item, depth - 1)))
        case _:
            return ""
