"""Reads OpenRouter's list of models: dollars per unit as decimal strings, as of the moment it was fetched.

What a call cost is told by OpenRouter with each answer; its list is for estimates.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from relay.adapters.outbound.prices.importers.gathering import Imported, ListUnreadable, Shelf, plain
from relay.domain.pricing import PriceInvalid, PriceSheet, Rate, Rule
from relay.domain.pricing.classes import CLASSES

KIND = "openrouter"
_PAGE = "https://openrouter.ai/models"
_NAMES = {
    "prompt": "input",
    "completion": "output",
    "input_cache_read": "cache_read",
    "input_cache_write": "cache_write",
    "internal_reasoning": "output_reasoning",
    "audio": "input_audio",
    "request": "request",
    "web_search": "web_search",
}


class _Model(msgspec.Struct):
    id: str
    pricing: dict[str, msgspec.Raw] = {}


class _List(msgspec.Struct):
    data: list[_Model]


def imported(data: bytes, as_of: str, source: str) -> Imported:
    """The book of the list. Raises `ListUnreadable`."""
    try:
        models = msgspec.json.decode(data, type=_List).data
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ListUnreadable(str(error)) from None
    shelf = Shelf(as_of)
    for model in models:
        try:
            rates = dict(_rates(model.pricing))
            is_free = model.id.endswith(":free") and not rates
            rules = (Rule(rates=rates),) if rates else ()
            shelf.add(KIND, PriceSheet(id=model.id, rules=rules, is_free=is_free, source=_PAGE))
        except PriceInvalid as error:
            shelf.remarks.append(f"{KIND}/{model.id}: {error}")
    return Imported(book=shelf.book(source), remarks=tuple(shelf.remarks))


def _rates(pricing: Mapping[str, msgspec.Raw]) -> Iterator[tuple[str, Rate]]:
    """The rates that are not 0: 0 is the list's word for "not charged apart"."""
    for key, name in _NAMES.items():
        if key not in pricing:
            continue
        try:
            number = msgspec.json.decode(pricing[key], type=Decimal | None)
        except (msgspec.ValidationError, InvalidOperation):
            raise PriceInvalid("is no price", key) from None
        if number is not None and number < 0:
            raise PriceInvalid("varies from call to call", key)
        if number:
            yield name, Rate.of(plain(number, CLASSES[name].per))
