"""A price sheet: what one model of one provider costs, when, and in which context."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from relay.domain.pricing.classes import CLASSES, split
from relay.domain.pricing.rates import Exact, PriceInvalid, Rate

DAY_MS = 86_400_000
MINUTE_MS = 60_000
DAY_MINUTES = 1_440
_THURSDAY = 4
"""The day that the unix clock began on, as ISO counts weekdays."""

NEUTRAL = frozenset({"", "auto", "default", "standard", "on_demand", "global", "not_available"})
"""What providers call the ordinary case of a service tier, speed or place."""

type Context = Mapping[str, str]
"""What the response said of how it was served: `service_tier`, `processing` (`batch`), `speed`, and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When a rule holds: from an instant, until another (unix milliseconds), at hours and weekdays in UTC.

    `hours` are half-open windows in minutes of the day, of which one may pass midnight. `weekdays` count from
    Monday, 1. What is empty is no condition.
    """

    from_ms: int | None = None
    until_ms: int | None = None
    hours: tuple[tuple[int, int], ...] = ()
    weekdays: frozenset[int] = frozenset()

    def holds(self, at_ms: int) -> bool:
        """Whether the instant is in the period."""
        return self.holds_by_date(at_ms) and (
            not (self.hours or self.weekdays) or self._holds_by_clock(at_ms)
        )

    def holds_by_date(self, at_ms: int) -> bool:
        """The same, whatever the hour and weekday."""
        return (self.from_ms is None or at_ms >= self.from_ms) and (
            self.until_ms is None or at_ms < self.until_ms
        )

    def _holds_by_clock(self, at_ms: int) -> bool:
        day, in_day_ms = divmod(at_ms, DAY_MS)
        if self.weekdays and (day + _THURSDAY - 1) % 7 + 1 not in self.weekdays:
            return False
        minute = in_day_ms // MINUTE_MS
        return not self.hours or any(
            start <= minute < end if start <= end else minute >= start or minute < end
            for start, end in self.hours
        )


ALWAYS = Period()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Rates, or a factor on all rates, with the conditions under which they hold.

    Without `when` the rates are the standard ones; with it they replace, one by one, those of a request whose
    context has these values.
    """

    rates: Mapping[str, Rate]
    when: tuple[tuple[str, str], ...] = ()
    period: Period = ALWAYS
    factor: Exact | None = None

    def fits(self, context: Context) -> bool:
        """Whether the context has all the values that the rule asks for."""
        return all(context.get(key) == value for key, value in self.when)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSheet:
    """A model's prices. `ids` are the provider's exact ids of it, `dated` those that a date may follow.

    `is_free` says that it costs nothing, which no rate of zero says. `source` is the page the prices are from,
    `as_of` the ISO date of that look.
    """

    id: str
    rules: tuple[Rule, ...] = ()
    ids: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    is_free: bool = False
    source: str = ""
    as_of: str = ""

    def standard(self, at_ms: int) -> Rule | None:
        """The standard rule at an instant: the last whose period holds."""
        for rule in reversed(self.rules):
            if not rule.when and rule.factor is None and rule.period.holds(at_ms):
                return rule
        return None

    def has_rates(self) -> bool:
        """Whether any standard rate is known."""
        return any(rule.rates for rule in self.rules if not rule.when)


def checked(sheet: PriceSheet) -> PriceSheet:
    """The sheet, if quotes can be made of it. Raises `PriceInvalid`."""
    for rule in sheet.rules:
        if unknown := [name for name in rule.rates if name not in CLASSES]:
            raise PriceInvalid("there is no such rate", unknown[0])
        if bool(rule.rates) == (rule.factor is not None):
            raise PriceInvalid("a rule has either rates or a factor")
        if rule.factor is not None and rule.factor.digits == 0:
            raise PriceInvalid("a factor of 0 makes free, which is to be said", "factor")
    for rates in _combinations(sheet):
        if overlap := split(rates).overlap:
            raise PriceInvalid(f"tokens that are both {overlap[0]} and {overlap[1]} have no price")
    standard = [rule.rates for rule in sheet.rules if not rule.when and rule.factor is None]
    if standard and all(rate.is_zero for rates in standard for rate in rates.values()):
        raise PriceInvalid("every rate is 0: a model without a price is to be called free")
    return sheet


def _combinations(sheet: PriceSheet) -> Iterator[frozenset[str]]:
    """The sets of rates that may come together: each standard rule alone, and with what each context adds."""
    standard = [frozenset(rule.rates) for rule in sheet.rules if not rule.when]
    yield from standard
    yield from (base | frozenset(rule.rates) for rule in sheet.rules if rule.when for base in standard)
