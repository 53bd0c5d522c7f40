"""Errors of the dialect: flat objects with a `message` and, at times, a type (https://docs.cohere.com/reference/errors)."""

from collections.abc import Mapping

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import ProviderFault, WireError
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.members import Members, object_in, text
from relay.domain.errors import RelayError, UpstreamError

CONTENT_TYPE = "application/json"

_STATUSES: Mapping[str, int] = {"TOO_MANY_TOKENS": 400}
"""What an error of this type stands for; anything else is the provider's own."""


def is_fault(found: Members) -> bool:
    """Whether an object without a type is an error: an answer's `message` is no text."""
    return bool(text(found.get("message")) or text(found.get("error")))


def failure_in(found: Members) -> UpstreamError:
    """An error in place of an answer, or of the rest of one. Its status is nowhere said."""
    fault = _fault(found)
    return upstream_failure(_STATUSES.get(fault.code, 500), fault.message, fault.code)


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
    message = text(found.get("message")) or text(found.get("error"))
    return ProviderFault(message=message, code=text(found.get("error_type")))


def _body(error: RelayError) -> bytes:
    return lenient.encode({"message": lenient.clean_text(error.message)})
