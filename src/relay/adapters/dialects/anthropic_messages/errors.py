"""Errors of the dialect: what Anthropic's error bodies and events say, and what clients get.

Types and statuses are those of https://docs.anthropic.com/en/api/errors. Clients look for words in the messages:
that a prompt is too long is told in Anthropic's.
"""

from collections.abc import Mapping

from relay.adapters.dialects import lenient
from relay.adapters.dialects.anthropic_messages import wire
from relay.adapters.dialects.base import ProviderFault, WireError
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.members import Members, members, object_in, text
from relay.domain.errors import Malformed, Overloaded, RelayError, UpstreamError

CONTENT_TYPE = "application/json"

_STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error that comes without a status stands for; anything else is 500."""

_TYPES: Mapping[int, str] = {status: kind for kind, status in _STATUSES.items()} | {
    408: "timeout_error",
    503: "overloaded_error",
}

_TOO_LONG = "prompt is too long"
_CONTEXT = "context_length_exceeded"
"""The code under which the clients of other dialects know it."""


def decode_error(body: bytes) -> ProviderFault:
    """What an error reply says. Never raises: what is not JSON says nothing."""
    try:
        return _fault(object_in(body))[1]
    except Malformed:
        return ProviderFault()


def failure_in(told: Members) -> UpstreamError:
    """The failure that an error in a stream, or in place of an answer, tells of."""
    kind, fault = _fault(told)
    return upstream_failure(_STATUSES.get(kind, 500), fault.message, fault.code)


def encode_error(error: RelayError) -> WireError:
    """An error reply: `{"type": "error", "error": {type, message}}`."""
    return WireError(status=error.status, body=_body(error), content_type=CONTENT_TYPE)


def in_band_error(error: RelayError) -> bytes:
    """The event that ends a stream gone wrong."""
    return sse_frame(_body(error), "error")


def _body(error: RelayError) -> bytes:
    message = lenient.clean_text(error.message)
    if error.code == _CONTEXT and _TOO_LONG not in message:
        message = f"{_TOO_LONG}: {message}"
    return lenient.encode(wire.ErrorBody(error=wire.ErrorDetail(type=_type(error), message=message)))


def _type(error: RelayError) -> str:
    if isinstance(error, Overloaded) and error.status >= 500:
        return "overloaded_error"
    return _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")


def _fault(told: Members) -> tuple[str, ProviderFault]:
    """The error's type, and what it says; a code where the type alone does not tell the reason."""
    error = members(told.get("error"))
    kind = text(error.get("type"))
    message = text(error.get("message")) or text(told.get("error"))
    code = text(members(error.get("details")).get("error_code"))
    if not code and _TOO_LONG in message.lower():
        code = _CONTEXT
    return kind, ProviderFault(message=message, code=code)
