"""The price book: every known sheet, found by a provider's kind and its exact id of a model, never by likeness."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from relay.domain.names import normalise
from relay.domain.pricing.sheet import PriceSheet

_PRICED_AS = {"google": "gemini", "x-ai": "xai", "openai-responses": "openai"}
"""Kinds whose prices stand under another's name, and the names that price lists use."""


def priced_kind(kind: str) -> str:
    """The name under which a kind of provider stands in the book."""
    return _PRICED_AS.get(kind, kind)


def _undated(model: str) -> str:
    """The id without the date or version that vendors put behind it; without one, an empty text.

    As in gpt-5-2025-08-07, claude-haiku-4-5-20251001, mistral-small-2506, gemini-2.5-pro-001, claude-x@latest.
    """
    name, at, date = model.rpartition("@")
    if at and (date == "latest" or (date.isdigit() and len(date) == 8)):
        return name
    name, _, date = model.rpartition("-")
    if date == "latest" or (date.isdigit() and len(date) in (3, 4, 8)):
        return name
    head, date = model[:-11], model[-11:]  # -YYYY-MM-DD
    is_date = len(date) == 11 and date[0] == date[5] == date[8] == "-"
    return head if is_date and (date[1:5] + date[6:8] + date[9:]).isdigit() else ""


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One provider's sheets, by id in one look."""

    by_id: Mapping[str, PriceSheet]
    by_dated: Mapping[str, PriceSheet]
    by_glob: tuple[tuple[str, PriceSheet], ...]

    def find(self, model: str) -> PriceSheet | None:
        wanted = normalise(model)
        found = self.by_id.get(wanted) or self.by_dated.get(_undated(wanted))
        if found is None:
            found = next((sheet for glob, sheet in self.by_glob if fnmatchcase(wanted, glob)), None)
        return found


def _shelf(sheets: Iterable[PriceSheet]) -> _Shelf:
    by_id: dict[str, PriceSheet] = {}
    by_dated: dict[str, PriceSheet] = {}
    by_glob: list[tuple[str, PriceSheet]] = []
    kept = tuple(sheets)
    for sheet in kept:
        by_id.setdefault(normalise(sheet.id), sheet)
    for sheet in kept:
        for name in sheet.ids:
            by_id.setdefault(normalise(name), sheet)
        for name in sheet.dated:
            by_dated.setdefault(normalise(name), sheet)
        by_glob += ((normalise(glob), sheet) for glob in sheet.globs)
    return _Shelf(by_id, by_dated, tuple(by_glob))


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """An immutable table of prices by kind of provider.

    `version` names its contents, `as_of` is the ISO date of the youngest, `sources` say where they are from.
    """

    sheets: Mapping[str, tuple[PriceSheet, ...]] = field(default_factory=dict)
    version: str = ""
    as_of: str = ""
    sources: tuple[str, ...] = ()
    _shelves: Mapping[str, _Shelf] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shelves", {kind: _shelf(sheets) for kind, sheets in self.sheets.items()})

    def find(self, kind: str, model: str) -> PriceSheet | None:
        """The sheet of the model: by its id, by its id without a date, then by the globs in their order."""
        shelf = self._shelves.get(priced_kind(kind))
        return shelf.find(model) if shelf else None


def layered(lower: PriceBook, upper: PriceBook) -> PriceBook:
    """The sheets of both; of two for one model the one of the later look, and at a tie the upper."""
    sheets: dict[str, tuple[PriceSheet, ...]] = dict(lower.sheets)
    for kind, above in upper.sheets.items():
        below = {sheet.id: sheet for sheet in sheets.get(kind, ())}
        newer = {
            sheet.id: sheet
            for sheet in above
            if sheet.id not in below or below[sheet.id].as_of <= sheet.as_of
        }
        sheets[kind] = (*newer.values(), *(sheet for sheet in below.values() if sheet.id not in newer))
    return PriceBook(
        sheets=sheets,
        version="+".join(filter(None, (lower.version, upper.version))),
        as_of=max(lower.as_of, upper.as_of),
        sources=tuple(dict.fromkeys((*lower.sources, *upper.sources))),
    )
