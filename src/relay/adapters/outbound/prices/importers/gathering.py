"""What every importer does alike: exact numbers from a list's own, sheets that can be used, remarks on the rest."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, Inexact

from relay.domain.names import normalise
from relay.domain.pricing import PriceBook, PriceInvalid, PriceSheet, checked

MAX_EXPONENT = 19
"""Prices of more digits before or behind the point are a list's mistake."""

_EXACT = Context(prec=4 * MAX_EXPONENT, traps=[Inexact])


class ListUnreadable(ValueError):
    """The bytes are no such list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The book of a list, without dates unless the list has them, and a remark on each model that was left out."""

    book: PriceBook
    remarks: tuple[str, ...] = ()


def plain(number: Decimal, scale: int = 1) -> str:
    """The number times `scale` as a plain decimal string, exactly. Raises `PriceInvalid`."""
    if not number.is_finite() or number < 0 or not -MAX_EXPONENT < number.adjusted() < MAX_EXPONENT:
        raise PriceInvalid(f"is no price: {number}")
    text = f"{_EXACT.multiply(number, Decimal(scale)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(slots=True)
class Shelf:
    """The sheets of a list by kind, the first of several that claim a name keeping it."""

    as_of: str
    remarks: list[str] = field(default_factory=list)
    _sheets: dict[str, list[PriceSheet]] = field(default_factory=dict)
    _names: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, kind: str, sheet: PriceSheet) -> None:
        """Put the sheet on the shelf, or a remark on why it cannot be used."""
        try:
            checked(sheet)
        except PriceInvalid as error:
            self.remarks.append(f"{kind}/{sheet.id}: {error}")
            return
        if not sheet.is_free and not sheet.has_rates():
            self.remarks.append(f"{kind}/{sheet.id}: has no price")
            return
        if (kind, "id", normalise(sheet.id)) in self._names:
            self.remarks.append(f"{kind}/{sheet.id}: means another model too")
            return
        own = self._free_names(kind, "id", (sheet.id, *sheet.ids))
        dated = self._free_names(kind, "dated", sheet.dated)
        self._sheets.setdefault(kind, []).append(replace(sheet, ids=own[1:], dated=dated, as_of=self.as_of))

    def book(self, source: str) -> PriceBook:
        """All that was put there."""
        sheets = {kind: tuple(own) for kind, own in self._sheets.items()}
        return PriceBook(sheets=sheets, as_of=self.as_of, sources=(source,) if source else ())

    def _free_names(self, kind: str, sort: str, names: Iterable[str]) -> tuple[str, ...]:
        free = [name for name in dict.fromkeys(names) if (kind, sort, normalise(name)) not in self._names]
        by_normal = {normalise(name): name for name in reversed(free)}
        kept = tuple(name for name in free if by_normal[normalise(name)] == name)
        self._names.update((kind, sort, normalise(name)) for name in kept)
        return kept
