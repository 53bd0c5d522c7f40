"""What a provider's error reply means: its status, its words and its wish to be left alone for a while."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from relay.adapters.dialects.base import ProviderFault
from relay.adapters.dialects.faults import upstream_failure
from relay.domain.errors import Malformed, UpstreamError

MAX_RETRY_AFTER_S = 3600.0
"""Longer waits are a provider's mistake or its way to say no."""

_RETRYABLE_CLIENT_STATUSES = frozenset({408, 429})
_BAD_KEY = re.compile(r"(?i)\b(?:incorrect|invalid) api[ _-]?key\b")


def refusal(status: int, headers: Mapping[str, str], fault: ProviderFault, *, now_s: float) -> UpstreamError:
    """The failure a reply of 300 or more stands for. `headers` by lower-case name, `now_s` in unix seconds.

    A wrong key is a 400 with words only at xAI; everywhere else it is a 401.
    """
    failure: UpstreamError
    if status < 400:
        failure = Malformed(f"the provider answered with a redirect ({status}), which is not followed")
    elif status == 400 and _BAD_KEY.search(fault.message):
        failure = upstream_failure(401)
    else:
        wait_s = _wait_s(headers, fault, now_s) if _may_wait(status) else None
        failure = upstream_failure(status, fault.message, fault.code, retry_after_s=wait_s)
    failure.provider_status = status
    return failure


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """The seconds to wait, capped; `None` when the headers say nothing usable.

    `retry-after-ms` (OpenAI, Anthropic) is finer than `retry-after` (RFC 9110, 10.2.3: seconds or a date), so
    it wins. A date that has passed means now; a negative or unreadable value means nothing.
    """
    if (wait_ms := _number(headers.get("retry-after-ms", ""))) is not None:
        return min(wait_ms / 1000, MAX_RETRY_AFTER_S)
    text = headers.get("retry-after", "")
    wait_s = _number(text)
    if wait_s is None:
        at_s = _unix_s(text)
        wait_s = None if at_s is None else max(0.0, at_s - now_s)
    return None if wait_s is None else min(wait_s, MAX_RETRY_AFTER_S)


def _wait_s(headers: Mapping[str, str], fault: ProviderFault, now_s: float) -> float | None:
    """What the headers say, or else the body, as Google's do (`google.rpc.RetryInfo`)."""
    if (wait_s := retry_after_s(headers, now_s)) is not None or fault.retry_after_s is None:
        return wait_s
    return min(max(fault.retry_after_s, 0.0), MAX_RETRY_AFTER_S)


def _may_wait(status: int) -> bool:
    """Providers send `retry-after` with other statuses too, where it means nothing."""
    return status in _RETRYABLE_CLIENT_STATUSES or status >= 500


def _number(text: str) -> float | None:
    text = text.strip(" \t")
    return float(text) if re.fullmatch(r"\d{1,18}(?:\.\d{1,9})?", text, re.ASCII) else None


def _unix_s(text: str) -> float | None:
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
