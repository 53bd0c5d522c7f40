"""The project's own worked examples and policy cases, exact."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from relay.domain.money import parsed_usd, usd_text
from relay.domain.pricing import (
    PriceSheet,
    Quote,
    Rate,
    Rule,
    custom_price,
    quote,
    settled,
    summed,
)
from relay.domain.pricing.classes import CLASSES
from relay.domain.usage import Usage

EXAMPLES: Mapping[str, Any] = json.loads(
    Path(__file__).with_name("examples.json").read_text(encoding="utf-8"), parse_float=Decimal
)
RATE_OF = {one.count: one.rate for one in CLASSES.values()}


def unix_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def named(cases: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in EXAMPLES[cases]]


def policy(name: str) -> Mapping[str, Any]:
    (case,) = (case for case in EXAMPLES["policy_cases"] if case["id"] == name)
    return dict(case)


def quoted(case: Mapping[str, Any]) -> Quote:
    """The quote of a policy case by the price written in it."""
    given = case["input"]
    price = custom_price("*/*", given["price"]).over(None) if given.get("price") else None
    return quote(price, Usage.from_counts(given["usage"]), unix_ms(given["at"]))


@pytest.mark.parametrize("example", named("examples"))
def test_an_example_costs_what_it_says_when_its_rates_are_given(example: Mapping[str, Any]) -> None:
    rates = {RATE_OF[line["class"]]: Rate.of(line["rate"]) for line in example["rates"]}
    sheet = PriceSheet(id=example["model"], rules=(Rule(rates=rates),))
    found = quote(sheet, Usage.from_counts(example["usage"]), unix_ms(example["at"]))
    assert found.state == "computed"
    assert usd_text(found.amount_pusd or 0) == example["expected_cost"]
    lines = {line.name: (line.count, str(line.rate), line.per) for line in found.lines}
    assert lines == {line["class"]: (line["count"], line["rate"], line["per"]) for line in example["rates"]}
    assert sum(line.amount_pusd for line in found.lines) == found.amount_pusd


@pytest.mark.parametrize("name", ["PS1", "PS2", "PS7"])
def test_what_cannot_be_priced_is_unknown_and_not_zero(name: str) -> None:
    case = policy(name)
    found = quoted(case)
    assert (found.state, found.amount_pusd) == (case["expected"]["status"], case["expected"]["amount"])
    assert found.reason == case["expected"]["reason"]


def test_a_sheet_without_any_rate_prices_nothing() -> None:
    found = quote(PriceSheet(id="qwen-3-coder-480b", rules=(Rule(rates={}),)), Usage(input_tokens=1), 0)
    assert (found.state, found.reason, found.amount_pusd) == ("unknown", "no_price", None)


def test_a_local_model_is_free_because_the_configuration_says_so() -> None:
    given = policy("PS3")["input"]
    with_free = {"free": given["price"]["free"]}
    sheet = custom_price("ollama/*", with_free).over(None)
    found = quote(sheet, Usage.from_counts(given["usage"]), unix_ms(given["at"]))
    assert (found.state, usd_text(found.amount_pusd or 0)) == ("configured_free", "0")
    zeros = custom_price("ollama/*", {key: given["price"][key] for key in ("input", "output")})
    assert zeros.is_free


@pytest.mark.parametrize("name", ["PS4", "PS5"])
def test_a_reported_cost_wins_and_the_computed_one_is_kept(name: str) -> None:
    case = policy(name)
    usage = case["input"]["provider_response"]["usage"]
    counts = Usage(input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"])
    price = case["input"].get("price")
    sheet = custom_price("*/*", price).over(None) if price else None
    reported = parsed_usd(case["expected"]["amount"])
    cost = settled(quote(sheet, counts, unix_ms(case["input"]["at"])), reported)
    assert cost.state == "reported"
    assert usd_text(cost.amount_pusd or 0) == case["expected"]["amount"]
    if "computed" in case["expected"]:
        assert usd_text(cost.quote.amount_pusd or 0) == case["expected"]["computed"]
        assert cost.deviation_pusd == 0
    else:
        assert cost.quote.amount_pusd is None
        assert cost.deviation_pusd is None


def test_a_count_without_a_rate_makes_the_quote_partial() -> None:
    case = policy("PS6")
    found = quoted(case)
    assert (found.state, found.amount_pusd) == ("partial", None)
    assert usd_text(found.lower_bound_pusd or 0) == case["expected"]["lower_bound"]
    assert list(found.unpriced) == case["expected"]["unpriced"]


def test_sums_carry_what_is_not_known() -> None:
    case = policy("PS8")
    records = [
        tuple(parsed_usd(record[key]) if record.get(key) else None for key in ("amount", "lower_bound"))
        for record in case["input"]["records"]
    ]
    total = summed((amount, bound) for amount, bound in records)
    assert {
        "known_total": usd_text(total.known_pusd),
        "lower_bound_total": usd_text(total.lower_bound_pusd),
        "unknown_count": total.unknown_count,
        "partial_count": total.partial_count,
        "record_count": total.record_count,
    } == case["expected"]
