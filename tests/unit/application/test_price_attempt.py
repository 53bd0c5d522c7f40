"""What an attempt costs: by its usage, by what its provider reports, and by the operator's own prices."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from relay.application.price_attempt import PriceAttempt, UsedAttempt
from relay.domain.pricing import PriceBook, PriceSheet, Rate, Rule, custom_price
from relay.domain.usage import Usage

RATES = {"input": Rate.of("2"), "cache_read": Rate.of("0.2"), "output": Rate.of("8")}
BOOK = PriceBook(
    sheets={
        "openai": (
            PriceSheet(
                id="gpt",
                dated=("gpt",),
                rules=(
                    Rule(rates=RATES),
                    Rule(rates={"output": Rate.of("4")}, when=(("service_tier", "flex"),)),
                ),
            ),
            PriceSheet(id="embed", rules=(Rule(rates={"input": Rate.of("0.02")}),)),
        ),
        "ollama": (PriceSheet(id="llama", is_free=True),),
    },
    version="0123456789abcdef",
)
ATTEMPT = UsedAttempt(
    provider="work",
    kind="openai",
    model="gpt-2026-01-01",
    at_ms=1_795_176_000_000,
    outcome="ok",
    usage=Usage(input_tokens=1_000_000, output_tokens=1_000_000),
    usage_source="reported",
)
USD = 10**12
price = PriceAttempt(BOOK)


def test_a_reported_usage_is_priced_by_the_kind_of_its_provider() -> None:
    cost = price(ATTEMPT)
    assert (cost.state, cost.amount_pusd, cost.reported_pusd) == ("computed", 10 * USD, None)
    assert cost.quote.sheet == "gpt"


def test_the_context_of_the_response_counts() -> None:
    assert price(replace(ATTEMPT, context={"service_tier": "flex"})).amount_pusd == 6 * USD
    unknown_tier = price(replace(ATTEMPT, context={"service_tier": "turbo"}))
    assert unknown_tier.amount_pusd == 10 * USD
    assert unknown_tier.quote.flags == ("tier_unpriced:turbo",)


def test_what_the_provider_charged_wins_and_both_are_kept() -> None:
    cost = price(replace(ATTEMPT, reported_pusd=9 * USD))
    assert (cost.state, cost.amount_pusd, cost.quote.amount_pusd) == ("reported", 9 * USD, 10 * USD)
    assert cost.deviation_pusd == -USD
    assert price(replace(ATTEMPT, reported_pusd=0)).amount_pusd == 0
    assert price(replace(ATTEMPT, model="new", reported_pusd=5)).amount_pusd == 5


def test_an_impossible_report_is_none() -> None:
    assert price(replace(ATTEMPT, reported_pusd=-1)).state == "computed"


def test_an_estimated_usage_is_priced_and_stays_an_estimate() -> None:
    cost = price(replace(ATTEMPT, outcome="interrupted", usage_source="estimated"))
    assert (cost.state, cost.amount_pusd) == ("computed", 10 * USD)


@pytest.mark.parametrize(
    ("changes", "state", "amount_pusd"),
    [
        ({"outcome": "error"}, "computed", 0),
        ({"outcome": "ambiguous"}, "unknown", None),
        ({"outcome": "interrupted"}, "unknown", None),
        ({"outcome": "error", "kind": "ollama", "model": "llama"}, "configured_free", 0),
        ({"outcome": "ok", "kind": "ollama", "model": "llama"}, "configured_free", 0),
    ],
)
def test_without_a_usage_only_a_refused_call_is_known_to_cost_nothing(
    changes: Mapping[str, str], state: str, amount_pusd: int | None
) -> None:
    cost = price(replace(ATTEMPT, usage=Usage(), usage_source="none", **changes))  # type: ignore[arg-type]
    assert (cost.state, cost.amount_pusd) == (state, amount_pusd)


def test_an_unknown_model_has_an_unknown_cost() -> None:
    cost = price(replace(ATTEMPT, model="no-such-model-7"))
    assert (cost.state, cost.amount_pusd, cost.quote.reason) == ("unknown", None, "no_price")


def test_a_prompt_that_was_not_counted_leaves_a_lower_bound() -> None:
    cost = price(replace(ATTEMPT, usage=Usage(output_tokens=1_000_000)))
    assert (cost.state, cost.amount_pusd, cost.lower_bound_pusd) == ("partial", None, 8 * USD)
    assert cost.quote.unpriced == ("input_tokens",)


def test_an_embedding_has_no_output_to_miss() -> None:
    cost = price(replace(ATTEMPT, model="embed", usage=Usage(input_tokens=1_000_000)))
    assert (cost.state, cost.amount_pusd) == ("computed", USD // 50)


def test_pictures_that_tokens_were_charged_for_are_not_missing_a_price() -> None:
    both = Usage(input_tokens=1_000_000, output_tokens=1_000_000, images=2)
    assert price(replace(ATTEMPT, usage=both)).state == "computed"
    searched = price(replace(ATTEMPT, usage=both.merged(Usage(web_searches=1))))
    assert (searched.state, searched.quote.unpriced) == ("partial", ("web_searches",))
    assert price(replace(ATTEMPT, usage=Usage(images=2))).state == "partial"


def test_the_operators_price_is_for_the_providers_own_name() -> None:
    own = PriceAttempt(BOOK, [custom_price("work/gpt*", {"output": "1"})])
    assert own(ATTEMPT).amount_pusd == 3 * USD
    assert own(replace(ATTEMPT, context={"service_tier": "flex"})).amount_pusd == 3 * USD
    assert own(replace(ATTEMPT, provider="other")).amount_pusd == 10 * USD


def test_a_discount_and_the_word_free_are_prices() -> None:
    discount = PriceAttempt(BOOK, [custom_price("work/*", {"factor": "0.85"})])
    assert discount(ATTEMPT).amount_pusd == 8_500_000_000_000
    assert discount(replace(ATTEMPT, model="new")).state == "unknown"
    free = PriceAttempt(BOOK, [custom_price("work/*", {"free": True})])
    assert free(replace(ATTEMPT, model="new")).state == "configured_free"


def test_the_version_names_the_book_and_the_operators_prices() -> None:
    one, other = ([custom_price("work/*", {"input": text})] for text in ("1", "2"))
    versions = {PriceAttempt(BOOK, customs).version for customs in ([], one, other)}
    assert len(versions) == 3
    assert PriceAttempt(BOOK, one).version == PriceAttempt(BOOK, one).version
    assert all(version.startswith(BOOK.version) for version in versions)
