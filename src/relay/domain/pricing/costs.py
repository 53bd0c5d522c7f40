"""What an attempt cost: a quote, or what the provider says it charged; and sums that keep what is not known."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from relay.domain.pricing.classes import CLASSES, ROOTS
from relay.domain.pricing.quoting import Quote, quote
from relay.domain.pricing.sheet import Context, PriceSheet
from relay.domain.usage import Usage

type CostState = Literal["computed", "reported", "partial", "unknown", "configured_free"]

MEASURES = frozenset({"images", "pages", "audio_seconds", "characters"})
"""Counts of the same work that tokens may count as well, so that one price for it is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one attempt. Where the provider reported one it wins; what the prices say is kept as `quote`.

    `amount_pusd` is `None` where the cost is not known.
    """

    state: CostState
    amount_pusd: int | None
    quote: Quote
    reported_pusd: int | None = None

    @property
    def lower_bound_pusd(self) -> int | None:
        """What a partial cost is at least."""
        return self.quote.lower_bound_pusd if self.state == "partial" else None

    @property
    def deviation_pusd(self) -> int | None:
        """Reported less computed, where both are known."""
        if self.reported_pusd is None or self.quote.amount_pusd is None:
            return None
        return self.reported_pusd - self.quote.amount_pusd


def settled(quoted: Quote, reported_pusd: int | None = None) -> Cost:
    """The cost: a reported one wins, also where it is 0. One below 0 is no report."""
    if reported_pusd is not None and reported_pusd >= 0:
        return Cost(state="reported", amount_pusd=reported_pusd, quote=quoted, reported_pusd=reported_pusd)
    return Cost(state=quoted.state, amount_pusd=quoted.amount_pusd, quote=quoted)


def quoted_answer(
    sheet: PriceSheet | None, usage: Usage, at_ms: int, context: Context | None = None
) -> Quote:
    """The quote for what an answer was metered at, which differs from any usage in two ways.

    Where one direction was counted and the other, though it has a price, was not, the quote is a lower bound:
    what is missing was not reported, and not 0. A measure without a price beside tokens that have one counts the
    same work again and leaves nothing unpriced.
    """
    quoted = quote(sheet, usage, at_ms, context)
    if sheet is None or quoted.state not in ("computed", "partial"):
        return quoted
    has_tokens = any(line.name.endswith("_tokens") for line in quoted.lines)
    unpriced = tuple(name for name in quoted.unpriced if not (has_tokens and name in MEASURES))
    missing = _missing(sheet, usage, at_ms)
    amount = quoted.lower_bound_pusd if quoted.amount_pusd is None else quoted.amount_pusd
    if unpriced or missing:
        return replace(
            quoted,
            state="partial",
            amount_pusd=None,
            lower_bound_pusd=amount,
            unpriced=tuple(dict.fromkeys((*unpriced, *missing))),
        )
    return replace(quoted, state="computed", amount_pusd=amount, lower_bound_pusd=None, unpriced=())


def _missing(sheet: PriceSheet, usage: Usage, at_ms: int) -> tuple[str, ...]:
    """The directions that have a price and no count, where the other has one."""
    standard = sheet.standard(at_ms)
    if standard is None or (usage.input_tokens is None and usage.output_tokens is None):
        return ()
    return tuple(
        CLASSES[root].count
        for root in ROOTS
        if getattr(usage, CLASSES[root].count) is None
        and root in standard.rates
        and not standard.rates[root].is_zero
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSum:
    """A sum with what it does not hold. `lower_bound_pusd` has the known amounts and those of partial records."""

    known_pusd: int = 0
    lower_bound_pusd: int = 0
    unknown_count: int = 0
    partial_count: int = 0
    record_count: int = 0


def summed(records: Iterable[tuple[int | None, int | None]]) -> CostSum:
    """The sum of records, each an amount or `None` and a lower bound or `None`."""
    known = bound = unknown = partial = count = 0
    for amount_pusd, lower_bound_pusd in records:
        count += 1
        if amount_pusd is not None:
            known += amount_pusd
        elif lower_bound_pusd is not None:
            bound += lower_bound_pusd
            partial += 1
        else:
            unknown += 1
    return CostSum(
        known_pusd=known,
        lower_bound_pusd=known + bound,
        unknown_count=unknown,
        partial_count=partial,
        record_count=count,
    )
