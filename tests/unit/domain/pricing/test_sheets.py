"""When and in which context a price holds, what a sheet may say, and how a model's is found."""

from datetime import datetime

import pytest

from relay.domain.pricing import (
    Exact,
    Period,
    PriceBook,
    PriceInvalid,
    PriceSheet,
    Rate,
    Rule,
    checked,
    custom_price,
    quote,
    with_customs,
)
from relay.domain.pricing.book import layered
from relay.domain.usage import Usage

MILLION = Usage(input_tokens=1_000_000)
USD = 10**12


def at(text: str) -> int:
    return round(datetime.fromisoformat(text + "Z").timestamp() * 1000)


def rule(usd: str, period: Period = Period(), **when: str) -> Rule:  # noqa: B008 - an immutable value
    return Rule(rates={"input": Rate.of(usd)}, when=tuple(when.items()), period=period)


def dollars(*rules: Rule, at_ms: int = 0, **context: str) -> int | None:
    amount = quote(PriceSheet(id="m", rules=rules), MILLION, at_ms, context).amount_pusd
    return None if amount is None else amount // USD


def test_a_price_holds_from_its_first_instant_until_the_one_before_its_last() -> None:
    begun, ended = at("2026-08-21T00:00:00"), at("2026-10-01T00:00:00")
    rules = rule("5"), rule("4", Period(from_ms=begun, until_ms=ended))
    assert [dollars(*rules, at_ms=when) for when in (begun - 1, begun, ended - 1, ended)] == [5, 4, 4, 5]


def test_before_the_first_price_the_cost_is_unknown() -> None:
    sheet = PriceSheet(id="m", rules=(rule("5", Period(from_ms=1000)),))
    assert quote(sheet, MILLION, 999).reason == "no_price_at_date"
    assert quote(sheet, MILLION, 1000).amount_pusd == 5 * USD


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-11-18T00:59:59", 1),  # a Wednesday
        ("2026-11-18T01:00:00", 2),
        ("2026-11-18T03:59:59", 2),
        ("2026-11-18T04:00:00", 1),
        ("2026-11-18T22:30:00", 2),
        ("2026-11-19T00:29:59", 2),
        ("2026-11-19T00:30:00", 1),
        ("2026-11-21T02:00:00", 1),  # a Saturday
        ("2026-11-22T02:00:00", 1),
        ("2026-11-23T02:00:00", 2),
        ("1969-12-31T02:00:00", 2),  # before the clock began, a Wednesday
    ],
)
def test_peak_hours_hold_on_their_weekdays_also_over_midnight(when: str, expected: int) -> None:
    windows = ((60, 240), (1350, 30))
    peak = Period(hours=windows, weekdays=frozenset(range(1, 6)))
    assert dollars(rule("1"), rule("2", peak), at_ms=at(when)) == expected


def test_of_several_special_prices_the_first_that_fits_counts() -> None:
    rules = (
        rule("8"),
        rule("4", service_tier="flex", processing="batch"),
        rule("6", service_tier="flex"),
        rule("2", Period(from_ms=10), service_tier="flex"),
    )
    assert dollars(*rules) == 8
    assert dollars(*rules, service_tier="flex") == 6
    assert dollars(*rules, service_tier="flex", processing="batch") == 4


@pytest.mark.parametrize("tier", ["default", "standard", "auto", ""])
def test_the_ordinary_tier_is_no_special_one(tier: str) -> None:
    sheet = PriceSheet(id="m", rules=(rule("8"),))
    assert quote(sheet, MILLION, 0, {"service_tier": tier}).flags == ()


def test_a_tier_without_a_price_is_flagged() -> None:
    sheet = PriceSheet(id="m", rules=(rule("8"), rule("4", Period(from_ms=10), service_tier="flex")))
    found = quote(sheet, MILLION, 0, {"service_tier": "flex", "speed": "fast"})
    assert found.amount_pusd == 8 * USD
    assert found.flags == ("tier_unpriced:flex", "speed_unpriced:fast")
    assert quote(sheet, MILLION, 10, {"service_tier": "flex"}).flags == ()


def test_factors_multiply_every_rate_exactly() -> None:
    us = Rule(rates={}, factor=Exact.of("1.1"), when=(("inference_geo", "us"),))
    discount = Rule(rates={}, factor=Exact.of("0.85"))
    sheet = PriceSheet(id="m", rules=(rule("3.3"), us, discount))
    found = quote(sheet, MILLION, 0, {"inference_geo": "us"})
    assert [str(line.rate) for line in found.lines] == ["3.0855"]
    assert found.flags == ()


def test_a_step_is_of_the_whole_prompt_and_for_every_class() -> None:
    rates = {"input": Rate.of("1", [(200, "2")]), "output": Rate.of("4", [(200, "8")])}
    sheet = PriceSheet(id="m", rules=(Rule(rates=rates),))
    for prompt, steps in ((200, ["1", "4"]), (201, ["2", "8"])):
        usage = Usage(input_tokens=prompt, output_tokens=1000)
        assert [str(line.rate) for line in quote(sheet, usage, 0).lines] == steps


def test_rates_that_share_tokens_without_a_price_for_them_are_refused() -> None:
    rates = {name: Rate.of("1") for name in ("input", "input_audio", "cache_read")}
    sheet = PriceSheet(id="m", rules=(Rule(rates=rates),))
    with pytest.raises(PriceInvalid, match="both cache_read and input_audio"):
        checked(sheet)
    assert quote(sheet, MILLION, 0).reason == "overlapping_rates"
    whole = PriceSheet(id="m", rules=(Rule(rates={**rates, "cache_audio_read": Rate.of("1")}),))
    assert checked(whole) is whole


def test_a_model_is_found_by_its_own_id_before_anothers_alias() -> None:
    alias = PriceSheet(id="a", ids=("b", "c"), dated=("a",), rules=(rule("1"),))
    own = PriceSheet(id="b", rules=(rule("2"),))
    globbed = PriceSheet(id="g", globs=("ft:*",), rules=(rule("3"),))
    book = PriceBook(sheets={"openai": (alias, own, globbed)})
    found = {
        name: book.find("openai", name) for name in ("a", "B", "c:latest", "a-2026-01-02", "ft:x", "a-x")
    }
    assert [sheet and sheet.id for sheet in found.values()] == ["a", "b", "a", "a", "g", None]
    assert book.find("mistral", "a") is None


def test_of_two_layers_the_later_look_counts() -> None:
    def book(usd: str, as_of: str) -> PriceBook:
        return PriceBook(
            sheets={"openai": (PriceSheet(id="m", rules=(rule(usd),), as_of=as_of),)},
            version=usd,
            as_of=as_of,
        )

    for lower, upper, expected in (
        (book("1", "2026-01-01"), book("2", "2026-02-01"), "2"),
        (book("1", "2026-01-01"), book("2", "2026-01-01"), "2"),
        (book("1", "2026-03-01"), book("2", "2026-02-01"), "1"),
    ):
        both = layered(lower, upper)
        sheet = both.find("openai", "m")
        assert sheet is not None
        assert str(sheet.rules[0].rates["input"].base) == expected
        assert (both.version, both.as_of) == ("1+2", max(lower.as_of, upper.as_of))


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        ({}, "", "says no price"),
        ({"input": 1.25}, "input", 'write "1.25"'),
        ({"input": "-1"}, "input", "no plain decimal"),
        ({"inputs": "1"}, "inputs", "no such rate"),
        ({"factor": "0"}, "factor", "free = true"),
        ({"factor": 0.5}, "factor", 'write "0.5"'),
        ({"free": "yes"}, "free", "true or false"),
        ({"free": True, "input": "1"}, "free", "no other price"),
        ({"free": False}, "", "says no price"),
        ({"input": "1", "input_audio": "2", "cache_read": "1"}, "cache_read", "have no price"),
    ],
)
def test_a_custom_price_that_cannot_be_used_names_its_key(
    section: dict[str, object], key: str, words: str
) -> None:
    with pytest.raises(PriceInvalid, match=words) as refused:
        custom_price("openai/*", section)
    assert refused.value.key == key


def test_custom_prices_lie_over_each_other_in_their_order() -> None:
    customs = [
        custom_price("openai/*", {"input": "1"}),
        custom_price("openai/m", {"input": "2"}),
        custom_price("azure/*", {"free": True}),
    ]
    for model, expected in (("m", 2), ("n", 1)):
        sheet = with_customs(None, customs, "openai", model)
        assert quote(sheet, MILLION, 0).amount_pusd == expected * USD
    assert with_customs(None, customs, "mistral", "m") is None
    assert quote(with_customs(None, customs, "azure", "m"), MILLION, 0).state == "configured_free"


def test_a_custom_rate_leaves_the_books_other_rates_and_its_tiers() -> None:
    book = PriceSheet(
        id="m",
        rules=(
            Rule(rates={"input": Rate.of("8"), "output": Rate.of("9")}),
            Rule(rates={"input": Rate.of("4"), "output": Rate.of("5")}, when=(("service_tier", "flex"),)),
        ),
    )
    sheet = with_customs(book, [custom_price("openai/m", {"input": "1"})], "openai", "m")
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    assert quote(sheet, usage, 0).amount_pusd == 10 * USD
    assert quote(sheet, usage, 0, {"service_tier": "flex"}).amount_pusd == 6 * USD
