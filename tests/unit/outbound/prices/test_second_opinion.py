"""What is imported from genai-prices costs what that package says it costs, model by model."""

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from relay.adapters.outbound.prices.importers.genai_prices import KINDS, imported
from relay.domain.pricing import quote
from relay.domain.usage import Usage
from tools.prices import installed_list

PICO = 10**12


def usage(chance: Random) -> dict[str, int]:
    """Consistent counts, on either side of the usual steps of context."""
    cached, written, hour, heard, thought = (
        chance.randint(0, most) for most in (150_000, 20_000, 2_000, 500, 3_000)
    )
    return {
        "cache_read_tokens": cached,
        "cache_write_tokens": written + hour,
        "cache_write_1h_tokens": hour,
        "input_audio_tokens": heard,
        "cache_audio_read_tokens": 0,
        "input_tokens": cached + written + hour + heard + chance.randint(0, 200_000),
        "output_reasoning_tokens": thought,
        "output_tokens": thought + chance.randint(0, 5_000),
    }


def cases() -> Iterator[tuple[Any, Any, dict[str, str]]]:
    """Every model in every context that the package has a price for."""
    for provider in importlib.import_module("genai_prices.data").providers:
        if provider.id in KINDS:
            for model in provider.models:
                for context in ({}, *(variant.when for variant in model.price_variants or ())):
                    yield provider, model, context


@pytest.mark.slow
def test_imported_prices_cost_what_their_own_package_says() -> None:
    book = imported(installed_list(), "2026-11-22", "").book
    chance, compared = Random(7), 0
    counts_of = importlib.import_module("genai_prices").Usage
    for provider, model, context in cases():
        sheet = book.find(KINDS[provider.id], model.id)
        if sheet is None or sheet.is_free:
            continue
        counts = usage(chance)
        at = datetime(
            2026, chance.randint(6, 11), 18, chance.randint(0, 23), chance.randint(0, 59), tzinfo=UTC
        )
        found = quote(sheet, Usage(**counts), round(at.timestamp() * 1000), context)
        if found.state != "computed":
            continue
        theirs = model.calc_price(
            counts_of(**counts), provider, genai_request_timestamp=at, price_context=context
        )
        assert abs(Decimal(found.amount_pusd or 0) - theirs.total_price * PICO) <= 1, (model.id, counts, at)
        compared += 1
    assert compared > 1_000
