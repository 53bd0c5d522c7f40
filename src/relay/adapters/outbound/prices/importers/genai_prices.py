"""Reads the data of genai-prices (version 2 of its JSON), which knows dates, hours, service tiers and batches.

Its loose matches (prefixes, parts, expressions) become exact ids and ids that a date may follow: what it would
price by likeness is unknown here. Its empty tables are no price, but for OpenRouter's `:free` models.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from decimal import Decimal

import msgspec

from relay.adapters.outbound.prices.importers.gathering import Imported, ListUnreadable, Shelf, plain
from relay.adapters.outbound.prices.table import unix_ms
from relay.domain.pricing import Period, PriceInvalid, PriceSheet, Rate, Rule
from relay.domain.pricing.classes import CLASSES
from relay.domain.pricing.sheet import ALWAYS, DAY_MINUTES, NEUTRAL

KINDS = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together",
    "x-ai": "xai",
}
"""The list's providers that the relay has a kind for."""

_COUNTERS = {
    "requests_kcount": "request",
    "web_searches_kcount": "web_search",
    "input_document_kpages": "page",
    "audio_hours": "audio_hour",
    "input_audio_hours": "audio_hour",
    "input_mchars": "character",
}
_UNCOUNTED = ("storage_searches_kcount", "input_annotated_document_kpages", "input_text_messages_kcount")
"""Fees for what no usage vector counts."""

_TOKENS = "_mtok"
_DATED = re.compile(r"\^((?:[\w/@:-]|\\\.)+?)(?:-|\[-@\])\\d")
"""An expression for an id and a date."""

_ELSEWHERE = re.compile(r"claude", re.IGNORECASE)
"""Models that Google serves on another of its platforms, not where the relay calls it."""


class _Tier(msgspec.Struct):
    start: int
    price: Decimal


class _Tiers(msgspec.Struct):
    base: Decimal
    tiers: list[_Tier]


class _Constraint(msgspec.Struct):
    start_date: str = ""
    start_time: str = ""
    end_time: str = ""


type _Prices = dict[str, Decimal | _Tiers | None]


class _Conditional(msgspec.Struct):
    prices: _Prices
    constraint: _Constraint | None = None


class _Variant(msgspec.Struct):
    when: dict[str, str]
    prices: _Prices
    constraint: _Constraint | None = None


class _Model(msgspec.Struct):
    id: str
    match: dict[str, msgspec.Raw]
    prices: _Prices | list[_Conditional]
    price_variants: list[_Variant] | None = None


class _Provider(msgspec.Struct):
    id: str
    models: list[_Model]
    pricing_urls: list[str] | None = None


def imported(data: bytes, as_of: str, source: str) -> Imported:
    """The book of the list. Raises `ListUnreadable`."""
    try:
        providers = msgspec.json.decode(data, type=list[_Provider])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ListUnreadable(str(error)) from None
    shelf = Shelf(as_of)
    for provider in providers:
        kind = KINDS.get(provider.id)
        if kind is None:
            continue
        page = (provider.pricing_urls or [""])[0]
        for model in provider.models:
            if kind == "gemini" and _ELSEWHERE.match(model.id):
                continue
            try:
                shelf.add(kind, _sheet(kind, model, page))
            except (PriceInvalid, ValueError) as error:
                shelf.remarks.append(f"{kind}/{model.id}: {error}")
    return Imported(book=shelf.book(source), remarks=tuple(shelf.remarks))


def _sheet(kind: str, model: _Model, page: str) -> PriceSheet:
    named = tuple(_names(model.match))
    exact = tuple(name for name, is_dated in named if not is_dated)
    dated = tuple(name for name, is_dated in named if is_dated)
    listed = model.prices if isinstance(model.prices, list) else [_Conditional(prices=model.prices)]
    standard = [Rule(rates=_rates(one.prices), period=_period(one.constraint)) for one in listed]
    if kind == "openrouter" and model.id.endswith(":free") and not any(rule.rates for rule in standard):
        return PriceSheet(id=model.id, ids=exact, is_free=True, source=page)
    special = (_variant(variant) for variant in model.price_variants or ())
    return PriceSheet(
        id=model.id,
        rules=(*(rule for rule in standard if rule.rates), *(rule for rule in special if rule)),
        ids=exact,
        dated=dated,
        source=page,
    )


def _variant(variant: _Variant) -> Rule | None:
    """What a context changes; what the list says of the ordinary case changes nothing."""
    when = tuple(sorted((key, value) for key, value in variant.when.items() if value not in NEUTRAL))
    rates = _rates(variant.prices)
    return Rule(rates=rates, when=when, period=_period(variant.constraint)) if when and rates else None


def _rates(prices: _Prices) -> Mapping[str, Rate]:
    rates: dict[str, Rate] = {}
    for key, price in prices.items():
        name = _COUNTERS.get(key) or key.removesuffix(_TOKENS)
        if price is None or key in _UNCOUNTED:
            continue
        if name not in CLASSES:
            raise PriceInvalid("nothing here counts what it is for", key)
        rate = _rate(price)
        if rates.setdefault(name, rate) != rate:
            raise PriceInvalid("two prices for one thing", key)
    return rates


def _rate(price: Decimal | _Tiers) -> Rate:
    if isinstance(price, Decimal):
        return Rate.of(plain(price))
    return Rate.of(plain(price.base), [(tier.start, plain(tier.price)) for tier in price.tiers])


def _period(constraint: _Constraint | None) -> Period:
    if constraint is None:
        return ALWAYS
    if constraint.start_date:
        return Period(from_ms=unix_ms(constraint.start_date))
    return Period(hours=((_minute(constraint.start_time), _minute(constraint.end_time) or DAY_MINUTES),))


def _minute(text: str) -> int:
    """The minute of the day in UTC."""
    at = time.fromisoformat(text)
    offset = at.utcoffset() or timedelta()
    return (at.hour * 60 + at.minute - round(offset.total_seconds()) // 60) % DAY_MINUTES


def _names(match: Mapping[str, msgspec.Raw]) -> Iterator[tuple[str, bool]]:
    """The ids that the match surely means, each with whether a date may follow it."""
    for sort, raw in match.items():
        match sort:
            case "or" | "and":
                for inner in msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]]):
                    yield from _names(inner)
            case "equals":
                yield msgspec.json.decode(raw, type=str), False
            case "starts_with" | "contains" | "ends_with":
                name = msgspec.json.decode(raw, type=str)
                yield name, False
                yield name, True
            case "regex" if found := _DATED.match(msgspec.json.decode(raw, type=str)):
                yield found[1].replace("\\", ""), True
            case _:
                pass
