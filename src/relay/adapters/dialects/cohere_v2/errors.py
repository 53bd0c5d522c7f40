"""Errors of the dialect: flat objects with a `message` and, at times, a type (https://docs.cohere.com/reference/errors)."""

from collections.abc import Mapping

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import ProviderFault, WireError
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.members import Members, object_in, text
from relay.domain.errors import RelayError, UpstreamError

CONTENT_TYPE = "application/json"

_CODES: Mapping[str, str] = {"TOO_MANY_TOKENS": "context_length_exceeded"}
"""What clients know by another name."""


def is_fault(found: Members) -> bool:
    """Whether an object without a type is an error: an answer's `message` is no text."""
    return bool(text(found.get("message")) or text(found.get("error")))


def failure_in(found: Members) -> UpstreamError:
    """An error in place of an answer, or of the rest of one. Its status is nowhere said."""
    fault = _fault(found)
    status = 400 if fault.code == "context_length_exceeded" else 500
    return upstream_failure(status, fault.message, fault.code)


def decode_error(body: bytes) -> ProviderFault:
    """What an error reply says. Never raises: what is not JSON says nothing."""
    try:
        return _fault(object_in(body))
    except UpstreamError:
        return ProviderFault()


def encode_error(error: RelayError) -> WireError:
    """An error reply."""
    return WireError(status=error.status, body=_body(error), content_type=CONTENT_TYPE)


def in_band_error(error: RelayError) -> bytes:
    """The event that ends a stream gone wrong."""
    return sse_frame(_body(error))


def _fault(found: Members) -> ProviderFault:
    kind = text(found.get("error_type"))
    message = text(found.get("message")) or text(found.get("error"))
    return ProviderFault(message=message, code=_CODES.get(kind, kind))


def _body(error: RelayError) -> bytes:
    return lenient.encode({"message": lenient.clean_text(error.message)})
