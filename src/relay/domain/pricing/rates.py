"""Rates: exact decimal prices for a number of units, some of them higher for long prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from relay.domain.money import PUSD_PER_USD, plain_decimal

_WHOLE_DIGITS, _DECIMALS = 9, 18


class PriceInvalid(ValueError):
    """A price that cannot be used; `key` says which of several, where it is known."""

    def __init__(self, reason: str, key: str = "") -> None:
        super().__init__(f"{key}: {reason}" if key else reason)
        self.reason = reason
        self.key = key


@dataclass(frozen=True, slots=True)
class Exact:
    """A non-negative decimal number: `digits` without the last `decimals` of them after the point."""

    digits: int
    decimals: int

    @classmethod
    def of(cls, text: object) -> Self:
        """Read a plain decimal string of at most 9 digits and 18 decimals.

        A number is refused: what was written is lost once it is a float. Raises `PriceInvalid`.
        """
        if not isinstance(text, str):
            raise PriceInvalid(f'is not a string: write "{text}"')
        try:
            digits, decimals = plain_decimal(text, _WHOLE_DIGITS, _DECIMALS)
        except ValueError as error:
            raise PriceInvalid(str(error)) from None
        needless = min(len(digits) - len(digits.rstrip("0")), decimals)
        return cls(int(digits[: len(digits) - needless]), decimals - needless)

    def times(self, other: "Exact") -> "Exact":
        """The exact product."""
        digits, decimals = self.digits * other.digits, self.decimals + other.decimals
        while decimals and digits % 10 == 0:
            digits, decimals = digits // 10, decimals - 1
        return Exact(digits, decimals)

    def __str__(self) -> str:
        if not self.decimals:
            return str(self.digits)
        text = f"{self.digits:0{self.decimals + 1}}"
        return f"{text[: -self.decimals]}.{text[-self.decimals :]}"


@dataclass(frozen=True, slots=True)
class Rate:
    """What a class costs: `base`, or the highest step whose number of prompt tokens is exceeded.

    A step holds for the whole request, whatever the class. Steps ascend.
    """

    base: Exact
    over: tuple[tuple[int, Exact], ...] = ()

    @classmethod
    def of(cls, base: object, over: Sequence[tuple[int, object]] = ()) -> Self:
        """Read decimal strings. Raises `PriceInvalid`."""
        bounds = [bound for bound, _ in over]
        if any(bound < 0 for bound in bounds) or bounds != sorted(set(bounds)):
            raise PriceInvalid("its steps do not ascend")
        return cls(Exact.of(base), tuple((bound, Exact.of(text)) for bound, text in over))

    def at(self, prompt_tokens: int) -> Exact:
        """The rate for a prompt of this length."""
        for bound, step in reversed(self.over):
            if prompt_tokens > bound:
                return step
        return self.base

    def times(self, factor: Exact) -> "Rate":
        """Every step multiplied."""
        return Rate(self.base.times(factor), tuple((bound, step.times(factor)) for bound, step in self.over))

    @property
    def is_zero(self) -> bool:
        """True when nothing is charged at any length."""
        return self.base.digits == 0 and all(step.digits == 0 for _, step in self.over)


def exact_pusd(count: int, rate: Exact, per: int) -> tuple[int, int]:
    """Numerator and denominator of what `count` units cost in pico-dollars at `rate` dollars for `per` of them."""
    return count * rate.digits * PUSD_PER_USD, 10**rate.decimals * per
