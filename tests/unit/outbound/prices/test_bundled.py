"""The bundled table prices the project's own examples exactly, offline."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.outbound.prices.bundled import BUNDLED, bundled_prices
from relay.adapters.outbound.prices.table import read_table, write_table
from relay.adapters.outbound.providers.spec import kinds
from relay.domain.money import usd_text
from relay.domain.pricing import quote
from relay.domain.usage import Usage

ROOT = Path(__file__).parents[4]
EXAMPLES = json.loads((ROOT / "tests/unit/domain/pricing/examples.json").read_text(encoding="utf-8"))
WITHOUT_PRICES = {"ollama", "openai-compatible"}


@pytest.mark.parametrize("example", [pytest.param(case, id=case["id"]) for case in EXAMPLES["examples"]])
def test_an_example_costs_what_it_says(example: Mapping[str, Any]) -> None:
    sheet = bundled_prices().find(example["provider"], example["model"])
    at_ms = round(datetime.fromisoformat(example["at"]).timestamp() * 1000)
    found = quote(sheet, Usage.from_counts(example["usage"]), at_ms, example["context"])
    assert found.state == "computed"
    assert usd_text(found.amount_pusd or 0) == example["expected_cost"]
    assert [(line.name, line.count, str(line.rate), line.per) for line in found.lines] == [
        (line["class"], line["count"], line["rate"], line["per"]) for line in example["rates"]
    ]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model-7"),
        ("cerebras", "qwen-3-coder-480b"),
        ("gemini", "gemini-2.5-pro-banana"),
        ("anthropic", "claude-sonnet-4-5-zzz"),
        ("ollama", "llama3.2:3b"),
        ("mistral", "gpt-4o"),
    ],
)
def test_no_model_is_priced_by_likeness(provider: str, model: str) -> None:
    found = quote(bundled_prices().find(provider, model), Usage(input_tokens=1), 0)
    assert (found.state, found.reason, found.amount_pusd) == ("unknown", "no_price", None)


@pytest.mark.parametrize(
    ("model", "as_if"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("CLAUDE-SONNET-4-5", "claude-sonnet-4-5"),
    ],
)
def test_a_dated_id_has_the_price_of_the_model(model: str, as_if: str) -> None:
    found = bundled_prices().find("anthropic", model)
    assert found is not None
    assert found == bundled_prices().find("anthropic", as_if)


def test_every_kind_with_prices_of_its_own_is_there() -> None:
    missing = {kind for kind in kinds() if not bundled_prices().sheets.get(kind)} - WITHOUT_PRICES
    assert missing <= {"openai-responses"}  # priced as openai
    assert bundled_prices().find("openai-responses", "gpt-5") == bundled_prices().find("openai", "gpt-5")


def test_every_row_has_its_date_and_source() -> None:
    sheets = [sheet for own in bundled_prices().sheets.values() for sheet in own]
    assert len(sheets) > 1_400
    assert all(date.fromisoformat(sheet.as_of) for sheet in sheets)
    assert [sheet.id for sheet in sheets if not sheet.source] == []
    assert bundled_prices().sources


def test_only_models_that_are_called_free_are_free() -> None:
    free = [
        (kind, sheet.id) for kind, own in bundled_prices().sheets.items() for sheet in own if sheet.is_free
    ]
    assert free
    assert all(kind == "openrouter" and model.endswith(":free") for kind, model in free)


def test_the_file_is_what_its_own_book_writes() -> None:
    data = BUNDLED.read_bytes()
    assert write_table(read_table(data)) == data


def test_peak_prices_of_deepseek_hold_on_workdays() -> None:
    usage = Usage(input_tokens=1_000_000)
    sheet = bundled_prices().find("deepseek", "deepseek-flash")
    at = {day: datetime.fromisoformat(f"2026-11-{day}T02:00:00Z") for day in (18, 21)}  # Wednesday, Saturday
    found = [quote(sheet, usage, round(moment.timestamp() * 1000)).amount_pusd for moment in at.values()]
    assert [usd_text(amount or 0) for amount in found] == ["0.3", "0.15"]


def test_perplexitys_fee_follows_the_size_of_the_search_context() -> None:
    sheet = bundled_prices().find("perplexity", "sonar")
    sizes: tuple[dict[str, str], ...] = (
        {"search_context_size": "low"},
        {"search_context_size": "medium"},
        {},
    )
    found = [quote(sheet, Usage(), 1_780_272_000_000, context).amount_pusd for context in sizes]
    assert [usd_text(amount or 0) for amount in found] == ["0.005", "0.008", "0.012"]
