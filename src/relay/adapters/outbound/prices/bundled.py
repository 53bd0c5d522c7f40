"""The prices that come with the relay: complete without a network, as of the day they were looked at."""

from functools import cache
from pathlib import Path

from relay.adapters.outbound.prices.table import read_table
from relay.domain.pricing import PriceBook

BUNDLED = Path(__file__).with_name("bundled.json")


@cache
def bundled_prices() -> PriceBook:
    """The bundled table, read once."""
    return read_table(BUNDLED.read_bytes())
