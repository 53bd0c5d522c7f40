"""Takes prices from a newer list: what would change is told, and what looks like a mistake is left alone."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from relay.application.ports import Clock
from relay.domain.pricing import PriceBook
from relay.domain.pricing.book import layered
from relay.domain.pricing.changes import PriceChange, changes, taken


class UnknownChange(Exception):
    """A change was accepted that there is not."""


class TakenPrices(Protocol):
    """Where prices are kept that were taken: a layer over the bundled ones."""

    def read(self) -> PriceBook:
        """The layer; an empty one when nothing was taken yet."""
        ...

    def write(self, layer: PriceBook) -> None:
        """Replace it, whole or not at all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPrices:
    """What a list would change or has changed: `taken` are the changes in force now."""

    changes: tuple[PriceChange, ...]
    taken: tuple[PriceChange, ...] = ()

    @property
    def left(self) -> tuple[PriceChange, ...]:
        """Changes that were not taken; a model that the list does not have is none."""
        return tuple(change for change in self.changes if change.sort != "gone" and change not in self.taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPrices:
    """The use case."""

    bundled: PriceBook
    store: TakenPrices
    clock: Clock

    def __call__(self, newer: PriceBook, *, accepted: Collection[str], check: bool) -> ImportedPrices:
        """Compare, and take unless it is to `check` only.

        A quarantined change is taken where `accepted` names it, as `kind/model`. Raises `UnknownChange`.
        """
        layer = self.store.read()
        now_ms = self.clock.unix_ms()
        found = changes(layered(self.bundled, layer), newer, now_ms)
        if wrong := set(accepted) - {change.name for change in found if change.sort != "gone"}:
            raise UnknownChange(min(wrong))
        if check:
            return ImportedPrices(changes=found)
        chosen = tuple(
            change
            for change in found
            if change.sort in ("new", "changed") or (change.sort == "quarantined" and change.name in accepted)
        )
        if chosen:
            self.store.write(taken(layer, chosen, newer, now_ms))
        return ImportedPrices(changes=found, taken=chosen)
