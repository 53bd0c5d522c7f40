"""The prices that were taken from newer lists: a table of our own form in a file beside the database."""

import os
from pathlib import Path

from relay.adapters.outbound.prices.table import TableInvalid, read_table, write_table
from relay.domain.pricing import PriceBook


class TakenPricesFile:
    """Implements `TakenPrices` in one file, replaced whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def beside(cls, database: Path) -> "TakenPricesFile":
        """The file of the relay whose database this is: `relay.prices.json` beside `relay.db`."""
        return cls(database.with_suffix(".prices.json"))

    def read(self) -> PriceBook:
        """As `TakenPrices.read`. Raises `TableInvalid`, `OSError`."""
        try:
            return read_table(self._path.read_bytes())
        except FileNotFoundError:
            return PriceBook()
        except TableInvalid as error:
            raise TableInvalid(f"{self._path}: {error}") from None

    def write(self, layer: PriceBook) -> None:
        """As `TakenPrices.write`. Raises `OSError`."""
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("wb") as file:
            file.write(write_table(layer))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
