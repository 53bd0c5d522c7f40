"""Writes the bundled price table from the data of the installed genai-prices, and from LiteLLM's map what it lacks.

`uv run python -m tools.prices --as-of 2026-11-22 [--litellm FILE]`. Review the difference before you commit it.
Without LiteLLM's map, which is the JSON file in its wheel, the rows that are from it stay as they are.
"""

import argparse
import dataclasses
import importlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from relay.adapters.outbound.prices.bundled import BUNDLED, bundled_prices
from relay.adapters.outbound.prices.importers import genai_prices, litellm
from relay.adapters.outbound.prices.table import write_table
from relay.domain.pricing import PriceBook, PriceSheet, Rate, Rule, checked

FROM_LITELLM = ("deepinfra", "sambanova")
"""Kinds that genai-prices has no prices of."""

_WORKDAYS = frozenset(range(1, 6))
_SEARCH_SIZES = {
    "sonar": ("5", "8", "12"),
    "sonar-reasoning": ("5", "8", "12"),
    "sonar-pro": ("6", "10", "14"),
    "sonar-reasoning-pro": ("6", "10", "14"),
}
"""Perplexity's last published fees of a thousand requests by the size of their search context."""


def installed_list() -> bytes:
    """The data of the installed package in the form of its published JSON. It is never imported by the relay."""
    providers = importlib.import_module("genai_prices.data").providers
    return json.dumps([_plain(provider) for provider in providers]).encode()


def _plain(value: Any) -> Any:
    match value:
        case Decimal() | date() | time():
            return value.isoformat() if not isinstance(value, Decimal) else str(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case _ if type(value).__name__ == "ModelPrice":
            return {key: _plain(item) for key, item in vars(value).items() if item is not None}
        case _ if dataclasses.is_dataclass(value):
            names = (field.name for field in dataclasses.fields(value))
            return {
                name.rstrip("_"): _plain(getattr(value, name)) for name in names if not name.startswith("_")
            }
        case _:
            return value


def amended(kind: str, sheet: PriceSheet) -> PriceSheet:
    """The sheet with what its vendor publishes and the list's form cannot say."""
    if kind == "deepseek" and sheet.id.startswith(("deepseek-flash", "deepseek-pro", "deepseek-v4")):
        # Peak hours are Monday to Friday: https://api-docs.deepseek.com/quick_start/pricing
        return replace(sheet, rules=tuple(map(_on_workdays, sheet.rules)))
    if kind == "perplexity" and sheet.id in _SEARCH_SIZES:
        # https://docs.perplexity.ai/getting-started/pricing
        sizes = zip(("low", "medium", "high"), _SEARCH_SIZES[sheet.id], strict=True)
        fees = (
            Rule(rates={"request": Rate.of(fee)}, when=(("search_context_size", size),))
            for size, fee in sizes
        )
        return replace(sheet, rules=(*sheet.rules, *fees))
    return sheet


def _on_workdays(rule: Rule) -> Rule:
    return replace(rule, period=replace(rule.period, weekdays=_WORKDAYS)) if rule.period.hours else rule


def bundle(as_of: str, litellm_map: bytes | None) -> tuple[PriceBook, Iterable[str]]:
    """The table to bundle, and the remarks of the importers."""
    first = genai_prices.imported(
        installed_list(), as_of, f"genai-prices {version('genai-prices')}, MIT, Pydantic Services Inc."
    )
    sheets: dict[str, tuple[PriceSheet, ...]] = {
        kind: tuple(checked(amended(kind, sheet)) for sheet in own) for kind, own in first.book.sheets.items()
    }
    remarks, sources = list(first.remarks), list(first.book.sources)
    if litellm_map is not None:
        second = litellm.imported(litellm_map, as_of, "LiteLLM's map of model prices, MIT, Berri AI")
        kept: Mapping[str, tuple[PriceSheet, ...]] = second.book.sheets
        remarks += [remark for remark in second.remarks if remark.startswith(FROM_LITELLM)]
        sources += second.book.sources
    else:
        kept = bundled_prices().sheets
        sources += [source for source in bundled_prices().sources if "LiteLLM" in source]
    sheets |= {kind: kept[kind] for kind in FROM_LITELLM if kind in kept}
    return PriceBook(sheets=sheets, as_of=as_of, sources=tuple(sources)), remarks


def main() -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", required=True, help="the day of the look, such as 2026-11-22")
    parser.add_argument("--litellm", type=Path, help="LiteLLM's map")
    arguments = parser.parse_args()
    book, remarks = bundle(arguments.as_of, arguments.litellm.read_bytes() if arguments.litellm else None)
    BUNDLED.write_bytes(write_table(book))
    for remark in remarks:
        print(f"left out: {remark}", file=sys.stderr)
    print(f"{sum(map(len, book.sheets.values()))} models of {len(book.sheets)} providers: {BUNDLED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
