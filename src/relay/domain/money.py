"""Amounts of money: integers of pico-dollars (1e-12 USD), shown as decimal strings and never as floats."""

PUSD_PER_USD = 10**12
_DECIMALS = 12
_WHOLE_DIGITS = 12


def usd_text(pusd: int) -> str:
    """Pico-dollars as a plain decimal string of dollars, without exponent and without needless zeros."""
    sign = "-" if pusd < 0 else ""
    whole, part = divmod(abs(pusd), PUSD_PER_USD)
    return f"{sign}{whole}.{part:0{_DECIMALS}}".rstrip("0").rstrip(".")


def parsed_usd(text: str) -> int:
    """Pico-dollars of a plain decimal string. Raises `ValueError` for what is none or has over 12 decimals."""
    digits, decimals = plain_decimal(text, _WHOLE_DIGITS, _DECIMALS)
    return int(digits.ljust(len(digits) + _DECIMALS - decimals, "0"))


def plain_decimal(text: str, most_whole: int, most_decimals: int) -> tuple[str, int]:
    """All digits of a plain decimal string, and how many of them are behind the point.

    Raises `ValueError` for signs, exponents, lone points, and more digits than there may be on either side.
    """
    whole, point, part = text.partition(".")
    digits = whole + part
    is_plain = digits.isascii() and digits.isdigit() and bool(whole) and bool(part) == bool(point)
    if not is_plain or len(whole) > most_whole or len(part) > most_decimals:
        raise ValueError(f"is no plain decimal number: {text!r}")
    return digits, len(part)


def rounded(numerator: int, denominator: int) -> int:
    """The quotient as an integer, a half going to the even one. `denominator` is positive."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))
