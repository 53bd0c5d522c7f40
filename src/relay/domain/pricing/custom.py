"""The operator's own prices, laid over the book's: single rates, a discount, or the word that a model is free."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from relay.domain.names import normalise
from relay.domain.pricing.classes import CLASSES, split
from relay.domain.pricing.rates import Exact, PriceInvalid, Rate
from relay.domain.pricing.sheet import PriceSheet, Rule

FREE, FACTOR = "free", "factor"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomPrice:
    """What `price` of `[overrides."PROVIDER/GLOB"]` says. `pattern` means the provider's configured name.

    The rates take the place of the book's, in every context; the factor is on all rates, these included.
    """

    pattern: str
    rates: Mapping[str, Rate]
    factor: Exact | None = None
    is_free: bool = False

    def fits(self, provider: str, model: str) -> bool:
        """Whether the model of this provider is one of those that the pattern means."""
        return fnmatchcase(normalise(f"{provider}/{model}"), normalise(self.pattern))

    def over(self, sheet: PriceSheet | None) -> PriceSheet | None:
        """The sheet with these prices; a discount on no price is none."""
        if self.is_free:
            return PriceSheet(id=self.pattern, is_free=True)
        if self.rates:
            sheet = self._with_rates(sheet)
        if sheet is None or self.factor is None:
            return sheet
        return replace(sheet, rules=(*sheet.rules, Rule(rates={}, factor=self.factor)))

    def _with_rates(self, sheet: PriceSheet | None) -> PriceSheet:
        if sheet is None or sheet.is_free or not sheet.has_rates():
            return PriceSheet(id=self.pattern, rules=(Rule(rates=self.rates),))
        rules = (
            self._standard(rule) if not rule.when and rule.factor is None else self._contextual(rule)
            for rule in sheet.rules
        )
        return replace(sheet, id=self.pattern, rules=tuple(rule for rule in rules if rule is not None))

    def _standard(self, rule: Rule) -> Rule:
        return replace(rule, rates={**rule.rates, **self.rates})

    def _contextual(self, rule: Rule) -> Rule | None:
        if rule.factor is not None:
            return rule
        kept = {name: rate for name, rate in rule.rates.items() if name not in self.rates}
        return replace(rule, rates=kept) if kept else None


def custom_price(pattern: str, section: Mapping[str, object]) -> CustomPrice:
    """Read a table of rates by name, of `factor`, or of `free`; rates that are all 0 say free as well.

    Raises `PriceInvalid`, whose `key` is the one that is wrong.
    """
    free = section.get(FREE, False)
    if not isinstance(free, bool):
        raise PriceInvalid("is not true or false", FREE)
    rates = {key: _rate(key, value) for key, value in section.items() if key not in (FREE, FACTOR)}
    factor = _factor(section[FACTOR]) if FACTOR in section else None
    if free and (rates or factor):
        raise PriceInvalid("goes with no other price", FREE)
    if not free and not rates and factor is None:
        raise PriceInvalid("says no price")
    if rates and all(rate.is_zero for rate in rates.values()):
        return CustomPrice(pattern=pattern, rates={}, is_free=True)
    if overlap := split(frozenset(rates)).overlap:
        raise PriceInvalid(f"tokens that are both {overlap[0]} and {overlap[1]} have no price", overlap[0])
    return CustomPrice(pattern=pattern, rates=rates, factor=factor, is_free=free)


def _rate(key: str, value: object) -> Rate:
    if key not in CLASSES:
        raise PriceInvalid("there is no such rate", key)
    try:
        return Rate.of(value)
    except PriceInvalid as error:
        raise PriceInvalid(error.reason, key) from None


def _factor(value: object) -> Exact:
    try:
        factor = Exact.of(value)
    except PriceInvalid as error:
        raise PriceInvalid(error.reason, FACTOR) from None
    if factor.digits == 0:
        raise PriceInvalid("a factor of 0 makes free: say free = true", FACTOR)
    return factor


def with_customs(
    sheet: PriceSheet | None, customs: Iterable[CustomPrice], provider: str, model: str
) -> PriceSheet | None:
    """The sheet as the operator's prices make it, later ones over earlier ones."""
    for custom in customs:
        if custom.fits(provider, model):
            sheet = custom.over(sheet)
    return sheet
