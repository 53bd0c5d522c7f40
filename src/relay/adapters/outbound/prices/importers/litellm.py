"""Reads LiteLLM's map of model prices: dollars per unit as JSON numbers, steps and tiers in the names of keys.

It has no dates. A price of 0 there may mean free or unknown, and is left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import msgspec

from relay.adapters.outbound.prices.importers.gathering import Imported, ListUnreadable, Shelf, plain
from relay.domain.pricing import Period, PriceInvalid, PriceSheet, Rate, Rule
from relay.domain.pricing.classes import CLASSES, HOUR_S
from relay.domain.pricing.sheet import DAY_MINUTES

KINDS = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "deepinfra": "deepinfra",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "sambanova": "sambanova",
    "together_ai": "together",
    "xai": "xai",
}
"""The list's providers that the relay has a kind for."""

_NAMES = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "cache_read_input_audio_token_cost": "cache_audio_read",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
    "cache_read_input_image_token_cost": "cache_image_read",
    "input_cost_per_video_token": "input_video",
    "output_cost_per_reasoning_token": "output_reasoning",
    "citation_cost_per_token": "output_citation",
    "input_cost_per_second": "audio_hour",
    "input_cost_per_character": "character",
    "ocr_cost_per_page": "page",
    "input_cost_per_request": "request",
}
_CONTEXTS = {
    "flex": (("service_tier", "flex"),),
    "priority": (("service_tier", "priority"),),
    "batches": (("processing", "batch"),),
}
_KEY = re.compile(
    rf"({'|'.join(sorted(_NAMES, key=len, reverse=True))})"
    rf"(?:_above_([0-9]+)k_tokens)?(?:_({'|'.join(_CONTEXTS)}))?"
)
_HOUR_STEP = Decimal("0.0001")
_SEARCH = "search_context_cost_per_query"
_SIZES = ("low", "medium", "high")

type _When = tuple[tuple[str, str], ...]
type _Steps = dict[int, str]


class _Window(msgspec.Struct):
    hours_utc: str | list[str]
    weekdays: list[int] = []


class _Entry(msgspec.Struct):
    litellm_provider: str = ""
    mode: str = ""
    source: str = ""
    off_peak_pricing: msgspec.Raw = msgspec.Raw()


def imported(data: bytes, as_of: str, source: str) -> Imported:
    """The book of the list. Raises `ListUnreadable`."""
    try:
        entries = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ListUnreadable(str(error)) from None
    shelf = Shelf(as_of)
    for name, raw in entries.items():
        try:
            entry = msgspec.json.decode(raw, type=_Entry)
        except msgspec.ValidationError as error:
            shelf.remarks.append(f"{name}: {error}")
            continue
        kind = KINDS.get(entry.litellm_provider)
        if kind is None:
            continue
        try:
            model = name.removeprefix(f"{entry.litellm_provider}/")
            sheet = _sheet(kind, model, raw, entry)
            shelf.add(kind, sheet if sheet.source else replace(sheet, source=source))
        except (PriceInvalid, msgspec.ValidationError) as error:
            shelf.remarks.append(f"{kind}/{name}: {error}")
    return Imported(book=shelf.book(source), remarks=tuple(shelf.remarks))


def _sheet(kind: str, model: str, raw: msgspec.Raw, entry: _Entry) -> PriceSheet:
    members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    by_context = _by_context(members)
    searches = dict(_searches(kind, members))
    standard = by_context.pop((), {}) | searches.pop((), {})
    rules = [Rule(rates=standard), *_off_peak(entry, standard)] if standard else []
    rules += [Rule(rates=rates, when=when) for when, rates in (*by_context.items(), *searches.items())]
    return PriceSheet(id=model, rules=tuple(rules), source=entry.source)


def _by_context(members: Mapping[str, msgspec.Raw]) -> dict[_When, dict[str, Rate]]:
    """The rates by the context they are for, `()` for the standard ones."""
    found: dict[_When, dict[str, _Steps]] = {}
    for key, raw in members.items():
        read = _KEY.fullmatch(key)
        if read is None:
            continue
        base, thousands, context = read.groups()
        name = _NAMES[base]
        price = _price(raw, name)
        if price:
            steps = found.setdefault(_CONTEXTS.get(context or "", ()), {}).setdefault(name, {})
            steps[int(thousands or 0) * 1000] = price
    return {
        when: {name: _rate(name, steps) for name, steps in rates.items()} for when, rates in found.items()
    }


def _price(raw: msgspec.Raw, name: str) -> str:
    """The price for as many units as our rates are for; empty where it is none or 0."""
    number = msgspec.json.decode(raw, type=Decimal | None)
    if not number:
        return ""
    if name == "audio_hour":  # the list has a second's price, cut; vendors price hours or minutes
        return plain((number * HOUR_S).quantize(_HOUR_STEP))
    return plain(number, CLASSES[name].per)


def _rate(name: str, steps: _Steps) -> Rate:
    base = steps.pop(0, None)
    if base is None:
        raise PriceInvalid("has steps and no base", name)
    return Rate.of(base, sorted(steps.items()))


def _searches(kind: str, members: Mapping[str, msgspec.Raw]) -> Iterator[tuple[_When, dict[str, Rate]]]:
    """The fee of a search by the size of its context; at Perplexity every request searches."""
    if _SEARCH not in members:
        return
    read = msgspec.json.decode(members[_SEARCH], type=dict[str, Decimal])
    name = "request" if kind == "perplexity" else "web_search"
    prices = {
        size: {name: Rate.of(plain(price, CLASSES[name].per))}
        for size in _SIZES
        if (price := read.get(f"search_context_size_{size}"))
    }
    if not prices:
        return
    yield (), prices.get("medium") or next(iter(prices.values()))
    if len({rate for rates in prices.values() for rate in rates.values()}) > 1:
        yield from (((("search_context_size", size),), rates) for size, rates in prices.items())


def _off_peak(entry: _Entry, standard: Mapping[str, Rate]) -> Iterator[Rule]:
    """The hours and days at which other rates hold."""
    if not entry.off_peak_pricing:
        return
    members = msgspec.json.decode(entry.off_peak_pricing, type=dict[str, msgspec.Raw])
    rates = {**standard, **_by_context(members).get((), {})}
    for window in msgspec.json.decode(members.get("windows", msgspec.Raw(b"[]")), type=list[_Window]):
        hours = [window.hours_utc] if isinstance(window.hours_utc, str) else window.hours_utc
        spans = tuple(_span(text) for text in hours)
        period = Period(
            hours=() if any(start == end for start, end in spans) else spans,
            weekdays=frozenset(window.weekdays),
        )
        yield Rule(rates=rates, period=period)


def _span(text: str) -> tuple[int, int]:
    """Minutes of the day; from midnight to midnight is the whole day, both ends alike."""
    start, _, end = text.partition("-")
    try:
        minutes = [int(hour) * 60 + int(minute) for hour, minute in (start.split(":"), end.split(":"))]
    except ValueError:
        raise PriceInvalid(f"no hours: {text!r}", "off_peak_pricing") from None
    first, last = (minute % DAY_MINUTES for minute in minutes)
    return (first, last) if first == last or last else (first, DAY_MINUTES)
