"""Amounts of money: exact to a pico-dollar, as plain decimal strings."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.money import parsed_usd, rounded, usd_text


@pytest.mark.parametrize(
    ("pusd", "text"),
    [
        (0, "0"),
        (1, "0.000000000001"),
        (712_500, "0.0000007125"),
        (10**12, "1"),
        (10 * 10**12, "10"),
        (1_056_008_000_000, "1.056008"),
        (-30_300_000, "-0.0000303"),
    ],
)
def test_an_amount_is_a_plain_decimal_string(pusd: int, text: str) -> None:
    assert usd_text(pusd) == text


@given(st.integers(0, 10**23))
def test_an_amount_that_was_written_reads_back(pusd: int) -> None:
    assert parsed_usd(usd_text(pusd)) == pusd


@pytest.mark.parametrize("text", ["", ".5", "1.", "-1", "1e-6", "1,5", " 1", "٣", "NaN", "0.0000000000001"])
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no plain decimal"):
        parsed_usd(text)


@given(st.integers(0, 10**20), st.integers(1, 10**6))
def test_a_half_goes_to_the_even_one(numerator: int, denominator: int) -> None:
    assert rounded(numerator, denominator) == round(Fraction(numerator, denominator))


def test_both_halves_are_told_apart() -> None:
    assert [rounded(half, 2) for half in (1, 3, 5, 7)] == [0, 2, 2, 4]
