"""Amounts of money: integers of pico-dollars (1e-12 USD), shown as decimal strings and never as floats."""

import re

PUSD_PER_USD = 10**12
_DECIMALS = 12
_USD = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,12}))?", re.ASCII)


def usd_text(pusd: int) -> str:
    """Pico-dollars as a plain decimal string of dollars, without exponent and without needless zeros."""
    sign = "-" if pusd < 0 else ""
    whole, part = divmod(abs(pusd), PUSD_PER_USD)
    return f"{sign}{whole}.{part:0{_DECIMALS}}".rstrip("0").rstrip(".")


def parsed_usd(text: str) -> int:
    """Pico-dollars of a plain decimal string. Raises `ValueError` for what is none or has over 12 decimals."""
    found = _USD.fullmatch(text)
    if found is None:
        raise ValueError(f"not an amount of dollars: {text!r}")
    whole, part = found.groups(default="")
    return int(whole + part.ljust(_DECIMALS, "0"))


def rounded(numerator: int, denominator: int) -> int:
    """The quotient as an integer, a half going to the even one. `denominator` is positive."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))
