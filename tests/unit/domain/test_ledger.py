"""The ledger's records of an attempt that a crash cut short."""

from relay.domain.ledger import AttemptContext, AttemptStarted, interrupted
from relay.domain.usage import Usage


def started(estimate: int) -> AttemptStarted:
    context = AttemptContext(
        attempt=1,
        provider="p",
        model="m",
        name_asked="m",
        resolved_by="search",
        dialect="openai.chat",
        stream=True,
    )
    return AttemptStarted(id="01", request_id="r", at_ms=1, context=context, input_tokens_estimate=estimate)


def test_an_interrupted_attempt_keeps_its_start_and_the_estimate() -> None:
    entry = interrupted(started(12))
    assert entry.started == started(12)
    assert (entry.ended.id, entry.ended.outcome, entry.ended.error_code) == (
        "01",
        "interrupted",
        "relay_stopped",
    )
    assert (entry.ended.usage, entry.ended.usage_source) == (Usage(input_tokens=12), "estimated")


def test_without_an_estimate_nothing_is_claimed() -> None:
    entry = interrupted(started(0))
    assert (entry.ended.usage, entry.ended.usage_source) == (Usage(), "none")
