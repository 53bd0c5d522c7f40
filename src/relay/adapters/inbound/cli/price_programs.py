"""What `relay prices` runs: the composition root implements it, so that the command imports no adapter."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from relay.application.manage.prices import ImportedPrices
from relay.domain.pricing import Context, PriceBook, PriceSheet, Quote
from relay.domain.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadList:
    """What an import came to, and a remark on each model of the list that has no place in a price table."""

    imported: ImportedPrices
    remarks: tuple[str, ...] = ()


class PricePrograms(Protocol):
    """Prices as this machine's configuration has them in force. Each raises `Refused`.

    A model is named `PROVIDER/MODEL`, where the provider is a configured one or a kind.
    """

    def book(self) -> PriceBook:
        """The bundled prices with those taken from newer lists over them; the operator's own are not in it."""
        ...

    def version(self) -> str:
        """What names all prices in force, the operator's own included."""
        ...

    def sheet(self, name: str) -> PriceSheet | None:
        """The prices in force for a model, the operator's own included."""
        ...

    def quote(self, name: str, usage: Usage, context: Context, at_ms: int) -> Quote:
        """What a usage of the model costs."""
        ...

    def import_list(
        self, file: Path, *, kinds: Collection[str], accepted: Collection[str], check: bool
    ) -> ReadList:
        """Compare a list of prices, of these kinds or of all, and take what is right unless it is to `check`."""
        ...
