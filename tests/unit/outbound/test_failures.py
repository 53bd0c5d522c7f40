"""What a provider's status, headers and words are taken to mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.adapters.dialects.base import ProviderFault
from relay.adapters.outbound.http.failures import MAX_RETRY_AFTER_S, refusal, retry_after_s
from relay.domain.errors import (
    BadCredential,
    Limited,
    Malformed,
    Overloaded,
    Rejected,
    UpstreamError,
)

NOW_S = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC).timestamp()

STATUSES: list[tuple[int, type[UpstreamError]]] = [
    (301, Malformed),
    (304, Malformed),
    (307, Malformed),
    (400, Rejected),
    (401, BadCredential),
    (402, Limited),
    (403, BadCredential),
    (404, Rejected),
    (408, Overloaded),
    (409, Overloaded),
    (413, Rejected),
    (422, Rejected),
    (429, Limited),
    (498, Overloaded),
    (499, Overloaded),
    (500, Overloaded),
    (502, Overloaded),
    (503, Overloaded),
    (529, Overloaded),
    (599, Overloaded),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_a_status_stands_for_one_failure_and_stays_on_it(status: int, kind: type[UpstreamError]) -> None:
    failure = refusal(status, {}, ProviderFault(message="no"), now_s=NOW_S)
    assert type(failure) is kind
    assert failure.provider_status == status


def test_a_wrong_key_is_known_by_its_words_where_the_status_does_not_say_it() -> None:
    fault = ProviderFault(
        message="Incorrect API key provided: xa***. Get one at the console.", code="invalid"
    )
    failure = refusal(400, {}, fault, now_s=NOW_S)
    assert isinstance(failure, BadCredential)
    assert failure.provider_status == 400
    assert "xa***" not in failure.message


def test_a_request_that_speaks_of_keys_is_still_the_callers_fault() -> None:
    fault = ProviderFault(message="'api_key' is not a field of this request")
    assert isinstance(refusal(400, {}, fault, now_s=NOW_S), Rejected)


SPELLINGS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry-after": "7"}, 7.0),
    ({"retry-after": " 7 "}, 7.0),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": "1.5"}, 1.5),
    ({"retry-after-ms": "250"}, 0.25),
    ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
    ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, 30.0),
    ({"retry-after": "Tue, 24 Nov 2026 12:00:30 -0000"}, 30.0),
    ({"retry-after": "Tue, 24 Nov 2026 13:00:30 +0100"}, 30.0),
    ({"retry-after": "Tue, 24 Nov 2020 12:00:30 GMT"}, 0.0),
    ({"retry-after": "Tue, 24 Nov 9999 12:00:30 GMT"}, MAX_RETRY_AFTER_S),
    ({"retry-after": "1000000000"}, MAX_RETRY_AFTER_S),
    ({"retry-after-ms": "999999999999999999"}, MAX_RETRY_AFTER_S),
    ({"retry-after": "-5"}, None),
    ({"retry-after": "1e9"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "٧"}, None),
    ({"retry-after": "X-RATELIMIT-RESET-XXX"}, None),
    ({"retry-after": "9" * 5000}, None),
]


@pytest.mark.parametrize(("headers", "expected"), SPELLINGS)
def test_a_wait_is_read_in_every_spelling(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, NOW_S) == expected


@given(st.text(), st.text())
@example("", "0\x1f")
@example(" 0\x1f", "")
def test_no_header_breaks_the_reading_of_a_wait(seconds: str, milliseconds: str) -> None:
    wait_s = retry_after_s({"retry-after": seconds, "retry-after-ms": milliseconds}, NOW_S)
    assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, 7.0), (408, 7.0), (500, 7.0), (503, 7.0), (529, 7.0), (400, None), (409, None)],
)
def test_a_wait_counts_only_with_statuses_that_pass(status: int, expected: float | None) -> None:
    failure = refusal(status, {"retry-after": "7"}, ProviderFault(), now_s=NOW_S)
    assert failure.retry_after_s == expected


def test_a_wait_in_the_body_counts_where_no_header_says_one() -> None:
    fault = ProviderFault(message="slow down", retry_after_s=7.5)
    assert refusal(429, {}, fault, now_s=0.0).retry_after_s == 7.5
    assert refusal(429, {"retry-after": "2"}, fault, now_s=0.0).retry_after_s == 2.0
    assert refusal(400, {}, fault, now_s=0.0).retry_after_s is None
    absurd = ProviderFault(message="slow down", retry_after_s=1e9)
    assert refusal(429, {}, absurd, now_s=0.0).retry_after_s == MAX_RETRY_AFTER_S
