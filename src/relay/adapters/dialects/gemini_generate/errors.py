"""Errors of the dialect: `google.rpc.Status` (https://ai.google.dev/gemini-api/docs/troubleshooting).

The relay's own key, when it is wrong, is a 400 with the reason `API_KEY_INVALID`; a quota of the day is a 429 that
is not worth waiting for; how long to wait stands in the body, not in a header.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import ProviderFault, WireError
from relay.adapters.dialects.faults import upstream_failure
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.members import Members, count, items, members, text, values_in
from relay.domain.errors import RelayError, UpstreamError

_STATUSES: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto"""

CONTENT_TYPE = "application/json; charset=UTF-8"

_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A provider's error: `status` is the one it names or stands for."""

    status: int
    message: str = ""
    code: str = ""
    retry_after_s: float | None = None

    def failure(self) -> UpstreamError:
        """The same in the relay's taxonomy."""
        return upstream_failure(self.status, self.message, self.code, retry_after_s=self.retry_after_s)


def fault_in(error: Raw) -> Fault:
    """What the `error` of an answer says; a text alone is its message."""
    said = members(error)
    if not said:
        return Fault(status=500, message=text(error))
    word = text(said.get("status"))
    details = [members(detail) for detail in items(said.get("details"))]
    reason = next(filter(None, (text(detail.get("reason")) for detail in details)), "")
    named = count(said.get("code"))
    status = named if named is not None and 400 <= named <= 599 else _STATUSES.get(word, 500)
    return Fault(
        status=status,
        message=text(said.get("message")),
        code="insufficient_quota" if _is_daily(details) else reason or word,
        retry_after_s=_delay_s(details),
    )


def decode_error(body: bytes) -> ProviderFault:
    """What an error reply says. Never raises: what is not JSON says nothing."""
    try:
        found = values_in(body)
    except UpstreamError:
        return ProviderFault()
    error = found[0].get("error") if found else None
    if error is None:
        return ProviderFault()
    fault = fault_in(error)
    return ProviderFault(message=fault.message, code=fault.code, retry_after_s=fault.retry_after_s)


def encode_error(error: RelayError) -> WireError:
    """An error reply."""
    return WireError(status=error.status, body=_body(error), content_type=CONTENT_TYPE)


def in_band_error(error: RelayError) -> bytes:
    """The event that ends a stream gone wrong."""
    return sse_frame(_body(error))


def _body(error: RelayError) -> bytes:
    word = next((word for word, status in _STATUSES.items() if status == error.status), "UNKNOWN")
    said = {"code": error.status, "message": lenient.clean_text(error.message), "status": word}
    return lenient.encode({"error": said})


def _is_daily(details: list[Members]) -> bool:
    violations = [members(each) for detail in details for each in items(detail.get("violations"))]
    return any("PerDay" in text(violation.get("quotaId")) for violation in violations)


def _delay_s(details: list[Members]) -> float | None:
    found = next(filter(None, (text(detail.get("retryDelay")) for detail in details)), "")
    matched = _DELAY.fullmatch(found)
    return float(matched[1]) if matched else None
