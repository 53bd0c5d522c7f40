"""Laws of quotes, against a second implementation over fractions."""

from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.pricing import PriceSheet, Quote, Rate, Rule, quote
from relay.domain.pricing.classes import CLASSES, COUNTERS, TOKEN_CLASSES, split
from relay.domain.usage import USAGE_CLASSES, Usage

PICO = 10**12
RATES = tuple(CLASSES)

type Number = Callable[[int], int]
"""An integer from 0 to the given one, by Hypothesis or by chance."""


def usage_of(number: Number) -> Usage:
    """A consistent one: the disjoint parts are drawn, and the totals are their sums."""
    read, audio_read, image_read, five, hour, other_write = (number(3_000_000) for _ in range(6))
    audio, image, video, tool, reasoning, citation, spoken, drawn = (number(3_000_000) for _ in range(8))
    write = five + hour + other_write
    parts = read + audio_read + image_read + write + audio + image + video + tool
    usage = {
        "input_tokens": number(3_000_000) + parts,
        "cache_read_tokens": read + audio_read + image_read,
        "cache_write_tokens": write,
        "cache_write_5m_tokens": five,
        "cache_write_1h_tokens": hour,
        "input_audio_tokens": audio + audio_read,
        "input_image_tokens": image + image_read,
        "input_video_tokens": video,
        "input_tool_tokens": tool,
        "cache_audio_read_tokens": audio_read,
        "cache_image_read_tokens": image_read,
        "output_tokens": number(3_000_000) + reasoning + citation + spoken + drawn,
        "output_reasoning_tokens": reasoning,
        "output_citation_tokens": citation,
        "output_audio_tokens": spoken,
        "output_image_tokens": drawn,
    } | {counter.count: number(5_000) for counter in COUNTERS}
    return Usage.from_counts({name: count for name, count in usage.items() if count or number(1)})


def rate_of(number: Number) -> Rate:
    def text() -> str:
        decimals = number(17) + 1
        return f"{number(999)}.{number(10**decimals - 1):0{decimals}}"

    bounds = sorted({number(40_000_000) for _ in range(number(2))})
    return Rate.of(text(), [(bound, text()) for bound in bounds])


def sheet_of(number: Number) -> PriceSheet:
    priced = {RATES[number(len(RATES) - 1)]: rate_of(number) for _ in range(number(7) + 1)}
    while overlap := split(frozenset(priced)).overlap:
        del priced[overlap[0]]
    return PriceSheet(id="drawn", rules=(Rule(rates=priced),))


@st.composite
def drawn[T](draw: st.DrawFn, make: Callable[[Number], T]) -> T:
    return make(lambda most: draw(st.integers(0, most)))


def by_fractions(sheet: PriceSheet, usage: Usage) -> tuple[Fraction, set[str]]:
    """The exact cost in dollars, token by token: each is billed by the most specific priced class it is in."""
    priced = sheet.rules[0].rates
    counts = {one.count: getattr(usage, one.count) or 0 for one in CLASSES.values()}
    prompt = counts["input_tokens"]
    leaves: dict[tuple[str, ...], int] = {}
    for one in sorted(TOKEN_CLASSES, key=lambda one: -sum(map(bool, one.traits))):
        inside = [
            size
            for traits, size in leaves.items()
            if all(own in ("", their) for own, their in zip(one.traits, traits, strict=True))
        ]
        leaves[one.traits] = counts[one.count] - sum(inside)
    total, unpriced = Fraction(0), set[str]()
    for one in TOKEN_CLASSES:
        size = leaves[one.traits]
        around = [
            outer
            for outer in TOKEN_CLASSES
            if outer.rate in priced
            and all(own in ("", their) for own, their in zip(outer.traits, one.traits, strict=True))
        ]
        if around:
            finest = max(around, key=lambda outer: sum(map(bool, outer.traits)))
            total += size * Fraction(str(priced[finest.rate].at(prompt))) / 1_000_000
        elif size:
            unpriced.add(f"{one.traits[0]}_tokens")
    for counter in COUNTERS:
        size = counts[counter.count]
        if counter.rate == "request" and usage.requests is None:
            size = 1
        if counter.rate in priced:
            total += size * Fraction(str(priced[counter.rate].at(prompt))) / counter.per
        elif size and counter.rate != "request":
            unpriced.add(counter.count)
    return total, unpriced


def check(sheet: PriceSheet, usage: Usage) -> Quote:
    found = quote(sheet, usage, 0)
    exact, unpriced = by_fractions(sheet, usage)
    known = found.lower_bound_pusd if found.amount_pusd is None else found.amount_pusd
    assert known == round(exact * PICO)  # as Fraction rounds: half to even
    assert known >= 0
    assert set(found.unpriced) == unpriced
    assert found.state == ("partial" if unpriced else "computed")
    assert (found.amount_pusd is None) == bool(unpriced)
    assert sum(line.amount_pusd for line in found.lines) == known
    assert all(
        line.amount_pusd >= 0
        and abs(line.amount_pusd - line.count * Fraction(str(line.rate)) * PICO / line.per) < 1
        for line in found.lines
    )
    return found


@given(drawn(sheet_of), drawn(usage_of))
def test_a_quote_is_what_fractions_give_and_its_lines_sum_to_it(sheet: PriceSheet, usage: Usage) -> None:
    check(sheet, usage)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(0, 2**64))
def test_ten_thousand_random_usages_cost_what_fractions_give(seed: int) -> None:
    chance = Random(seed)
    for _ in range(100):
        check(sheet_of(lambda most: chance.randint(0, most)), usage_of(lambda most: chance.randint(0, most)))


@given(drawn(sheet_of), drawn(usage_of))
def test_a_count_of_zero_changes_nothing(sheet: PriceSheet, usage: Usage) -> None:
    named = {name: getattr(usage, name) or 0 for name in USAGE_CLASSES if name != "requests"}
    assert quote(sheet, usage, 0) == quote(sheet, usage.merged(Usage(**named)), 0)


@given(drawn(sheet_of), drawn(usage_of), st.integers(1, 10**6))
def test_more_than_its_whole_is_unknown_and_never_negative(
    sheet: PriceSheet, usage: Usage, more: int
) -> None:
    broken = usage.merged(Usage(cache_read_tokens=(usage.input_tokens or 0) + more))
    found = quote(sheet, broken, 0)
    assert (found.state, found.reason, found.amount_pusd) == ("unknown", "inconsistent_usage", None)


@given(
    st.dictionaries(st.sampled_from(sorted(CLASSES)), st.integers(-5, 10), max_size=8),
    drawn(sheet_of),
)
def test_no_usage_at_all_gives_a_negative_amount(counts: dict[str, int], sheet: PriceSheet) -> None:
    usage = Usage.from_counts({CLASSES[name].count: count for name, count in counts.items()})
    found = quote(sheet, usage, 0)
    assert found.amount_pusd is None or found.amount_pusd >= 0
    assert found.lower_bound_pusd is None or found.lower_bound_pusd >= 0
    assert sum(line.amount_pusd for line in found.lines) == (found.amount_pusd or found.lower_bound_pusd or 0)
