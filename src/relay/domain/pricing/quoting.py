"""The arithmetic: a usage vector and a price sheet make a quote, line by line and exact.

Every line and the sum are whole pico-dollars. The sum is the exact sum rounded once, half to even; where a rate is
finer than a pico-dollar, the lines are cut and the rest goes to those that lost most, so that they sum to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import lcm
from typing import Literal

from relay.domain.money import rounded
from relay.domain.pricing.classes import CLASSES, COUNTERS, PricedClass, parents, split
from relay.domain.pricing.rates import Exact, Rate, exact_pusd
from relay.domain.pricing.sheet import NEUTRAL, Context, PriceSheet, Rule
from relay.domain.usage import Usage

type QuoteState = Literal["computed", "partial", "unknown", "configured_free"]
type Unknown = Literal["no_price", "no_price_at_date", "inconsistent_usage", "overlapping_rates", "no_usage"]

_FEES = tuple(counter for counter in COUNTERS if counter.rate != "request")


@dataclass(frozen=True, slots=True)
class Line:
    """`count` units of one class, named as in `Usage`, at `rate` dollars for `per` of them."""

    name: str
    count: int
    rate: Exact
    per: int
    amount_pusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a usage costs. The lines sum to the amount, or to the lower bound of a partial one.

    `amount_pusd` is `None` where it is not known, and never 0 for that. `unpriced` are the counts without a
    price, `flags` what was priced as the ordinary case though the context said otherwise. `sheet` and
    `valid_from_ms` name the prices used.
    """

    state: QuoteState
    amount_pusd: int | None = None
    lower_bound_pusd: int | None = None
    lines: tuple[Line, ...] = ()
    reason: Unknown | None = None
    unpriced: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    sheet: str = ""
    valid_from_ms: int | None = None


def unknown(reason: Unknown, sheet: str = "") -> Quote:
    """The quote that cannot be made."""
    return Quote(state="unknown", reason=reason, sheet=sheet)


def quote(sheet: PriceSheet | None, usage: Usage, at_ms: int, context: Context | None = None) -> Quote:
    """What `usage` of a request that began at `at_ms` costs by the sheet; no sheet, no price.

    Which step of a rate holds depends on the whole prompt, cached tokens included.
    """
    if sheet is None:
        return unknown("no_price")
    if sheet.is_free:
        return Quote(state="configured_free", amount_pusd=0, sheet=sheet.id)
    if not sheet.has_rates():
        return unknown("no_price", sheet.id)
    standard = sheet.standard(at_ms)
    if standard is None:
        return unknown("no_price_at_date", sheet.id)
    counts = usage.counts()
    if not _is_consistent(counts):
        return unknown("inconsistent_usage", sheet.id)
    rates, flags = _rates(sheet, standard, at_ms, context or {})
    return _quoted(counts, rates, sheet.id, standard, flags)


def _is_consistent(counts: Mapping[str, int]) -> bool:
    """Whether no count is negative and no part is more than its whole."""
    if any(count < 0 for count in counts.values()):
        return False
    return all(counts[part] <= counts.get(whole, 0) for part, whole in parents() if counts.get(part))


def _rates(
    sheet: PriceSheet, standard: Rule, at_ms: int, context: Context
) -> tuple[Mapping[str, Rate], tuple[str, ...]]:
    """The rates in force, and a flag for each value of the context that no price speaks of."""
    special = [pair for pair in context.items() if pair[1] not in NEUTRAL]
    others = [rule for rule in sheet.rules if rule.when or rule.factor is not None]
    fitting = [rule for rule in others if rule.fits(context) and rule.period.holds(at_ms)]
    if not (fitting or special):
        return standard.rates, ()
    rates = dict(standard.rates)
    for rule in reversed(fitting):  # of several that name a rate, the first counts
        rates.update(rule.rates)
    for rule in fitting:
        if rule.factor is not None:
            rates = {name: rate.times(rule.factor) for name, rate in rates.items()}
    named = {pair for rule in fitting for pair in rule.when}
    flags = tuple(
        f"{'tier' if key == 'service_tier' else key}_unpriced:{value}"
        for key, value in special
        if (key, value) not in named
    )
    return rates, flags


def _quoted(
    counts: Mapping[str, int], rates: Mapping[str, Rate], sheet: str, standard: Rule, flags: tuple[str, ...]
) -> Quote:
    parts = split(frozenset(rates))
    if parts.overlap:
        return unknown("overlapping_rates", sheet)
    billed: list[tuple[PricedClass, int]] = []
    shares: list[int] = []
    for one, inside in parts.steps:
        share = counts.get(one.count, 0)
        for place in inside:
            share -= shares[place]
        if share < 0:
            return unknown("inconsistent_usage", sheet)
        shares.append(share)
        billed.append((one, share))
    billed += ((one, counts.get(one.count, 0)) for one in _FEES if one.count in counts)
    if "request" in rates:  # a request is one request, and that it has no fee leaves nothing unpriced
        billed.append((CLASSES["request"], counts.get("requests", 1)))
    unpriced = tuple(one.count for one, count in billed if count and one.rate not in rates)
    prompt_tokens = counts.get("input_tokens", 0)
    lines = _lines(
        (one, count, rates[one.rate].at(prompt_tokens))
        for one, count in billed
        if count and one.rate in rates
    )
    amount = sum(line.amount_pusd for line in lines)
    return Quote(
        state="partial" if unpriced else "computed",
        amount_pusd=None if unpriced else amount,
        lower_bound_pusd=amount if unpriced else None,
        lines=lines,
        unpriced=unpriced,
        flags=flags,
        sheet=sheet,
        valid_from_ms=standard.period.from_ms,
    )


def _lines(billed: Iterable[tuple[PricedClass, int, Exact]]) -> tuple[Line, ...]:
    costs = [(one, count, rate, *exact_pusd(count, rate, one.per)) for one, count, rate in billed]
    amounts = [numerator // denominator for *_, numerator, denominator in costs]
    rests = [numerator % denominator for *_, numerator, denominator in costs]
    if any(rests):
        common = lcm(*(denominator for *_, denominator in costs))
        scaled = [
            rest * (common // denominator) for rest, (*_, denominator) in zip(rests, costs, strict=True)
        ]
        exact = sum(amounts) * common + sum(scaled)
        missing = rounded(exact, common) - sum(amounts)
        for place in sorted(range(len(costs)), key=lambda place: -scaled[place])[:missing]:
            amounts[place] += 1
    return tuple(
        Line(one.count, count, rate, one.per, amount)
        for (one, count, rate, *_), amount in zip(costs, amounts, strict=True)
    )
