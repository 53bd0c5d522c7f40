"""A provider's status decides what its failure means; its words are shown only where the caller can act on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.dialects.faults import MAX_MESSAGE_CHARACTERS, upstream_failure
from relay.domain.errors import BadCredential, Limited, Overloaded, Rejected, UpstreamError

SECRET = "sk-the-relays-own-key"


@pytest.mark.parametrize(
    ("status", "kind", "shown_status", "retry"),
    [
        (400, Rejected, 400, "never"),
        (401, BadCredential, 502, "other"),
        (402, Limited, 429, "other"),
        (403, BadCredential, 502, "other"),
        (404, Rejected, 404, "never"),
        (408, Overloaded, 503, "same"),
        (413, Rejected, 413, "never"),
        (422, Rejected, 422, "never"),
        (429, Limited, 429, "other"),
        (498, Overloaded, 503, "same"),
        (499, Overloaded, 503, "same"),
        (500, Overloaded, 503, "same"),
        (502, Overloaded, 502, "same"),
        (503, Overloaded, 503, "same"),
        (529, Overloaded, 503, "same"),
        (0, Overloaded, 503, "same"),
    ],
)
def test_the_status_decides(status: int, kind: type[UpstreamError], shown_status: int, retry: str) -> None:
    failure = upstream_failure(status, "words", "a_code")
    assert type(failure) is kind
    assert (failure.status, failure.retry) == (shown_status, retry)
    assert failure.provider_status == status


@pytest.mark.parametrize("status", [401, 402, 403])
def test_words_about_the_relays_own_account_are_never_shown(status: int) -> None:
    failure = upstream_failure(status, f"Incorrect API key provided: {SECRET}", SECRET)
    assert SECRET not in failure.message
    assert SECRET not in (failure.code or "")


def test_the_providers_words_reach_a_caller_who_can_act_on_them() -> None:
    failure = upstream_failure(400, "this model's maximum context length is 8192", "context_length_exceeded")
    assert failure.message == "this model's maximum context length is 8192"
    assert failure.code == "context_length_exceeded"


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_wordless_failure_has_words_of_ours(status: int) -> None:
    assert upstream_failure(status).message
    assert upstream_failure(status).code


@pytest.mark.parametrize(
    "code", ["insufficient_quota", "credit_balance_exhausted", "enforced_spend_limit_reached"]
)
def test_no_money_is_told_from_too_fast(code: str) -> None:
    assert upstream_failure(429, "", code).code == "insufficient_quota"
    assert upstream_failure(402).code == "insufficient_quota"
    assert upstream_failure(429, "", "slow_down").code == "rate_limit_exceeded"


def test_when_to_come_back_is_passed_on() -> None:
    assert upstream_failure(429, retry_after_s=7.5).retry_after_s == 7.5
    assert upstream_failure(503, retry_after_s=7.5).retry_after_s == 7.5


@pytest.mark.parametrize("code", ["a code of words", "x" * 65, "<script>", "a\nb"])
def test_a_code_that_is_no_word_is_not_taken_over(code: str) -> None:
    assert upstream_failure(400, "m", code).code == "upstream_rejected"


@given(st.integers(0, 999), st.text(max_size=900), st.text(max_size=80))
def test_words_are_short_printable_and_present(status: int, message: str, code: str) -> None:
    failure = upstream_failure(status, message, code)
    assert 0 < len(failure.message) <= MAX_MESSAGE_CHARACTERS
    assert failure.message.isprintable()
    assert failure.code
    assert 400 <= failure.status < 600
