"""What `relay prices` runs, composed on this machine: no server and no database is needed to know a price."""

from collections.abc import Collection, Mapping
from pathlib import Path

from relay.adapters.inbound.cli.price_programs import ReadList
from relay.adapters.inbound.cli.refusal import BAD_CONFIGURATION, NOT_FOUND, WRONG_USAGE, Refused
from relay.adapters.outbound.prices.bundled import bundled_prices
from relay.adapters.outbound.prices.importers import Imported, ListUnreadable, imported
from relay.adapters.outbound.prices.table import TableInvalid, time_text
from relay.adapters.outbound.prices.taken import TakenPricesFile
from relay.application.manage.prices import ImportPrices, UnknownChange
from relay.application.ports import Clock
from relay.application.price_attempt import PriceAttempt
from relay.domain.names import normalise
from relay.domain.pricing import (
    Context,
    CustomPrice,
    PriceBook,
    PriceInvalid,
    PriceSheet,
    Quote,
    custom_price,
    priced_kind,
    quote,
)
from relay.domain.pricing.book import layered
from relay.domain.usage import Usage
from relay.settings import Settings

_EXAMPLE = 'price = { input = "1.25", output = "10" }, in dollars per million tokens'


class LocalPrices:
    """Implements `inbound.cli.price_programs.PricePrograms`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._taken = TakenPricesFile.beside(settings.database.path)
        self._kinds = _kinds(settings)
        self._clock = clock
        self._book = layered(bundled_prices(), self._layer())
        self._prices = PriceAttempt(self._book, _customs(settings))

    def book(self) -> PriceBook:
        """As `PricePrograms.book`."""
        return self._book

    def version(self) -> str:
        """As `PricePrograms.version`."""
        return self._prices.version

    def sheet(self, name: str) -> PriceSheet | None:
        """As `PricePrograms.sheet`."""
        provider, slash, model = name.partition("/")
        if not (provider and slash and model):
            raise Refused(f"{name}: name a model as PROVIDER/MODEL", WRONG_USAGE)
        kind = self._kinds.get(normalise(provider), normalise(provider))
        return self._prices.sheet(provider, kind, model)

    def quote(self, name: str, usage: Usage, context: Context, at_ms: int) -> Quote:
        """As `PricePrograms.quote`."""
        return quote(self.sheet(name), usage, at_ms, context)

    def import_list(
        self, file: Path, *, kinds: Collection[str], accepted: Collection[str], check: bool
    ) -> ReadList:
        """As `PricePrograms.import_list`."""
        read = self._read(file)
        newer = _only(read.book, kinds)
        take = ImportPrices(bundled=bundled_prices(), store=self._taken, clock=self._clock)
        try:
            return ReadList(imported=take(newer, accepted=accepted, check=check), remarks=read.remarks)
        except UnknownChange as error:
            raise Refused(f"{error}: the list changes no such model", NOT_FOUND) from None
        except OSError as error:
            raise Refused(f"the prices cannot be kept: {error}") from None

    def _read(self, file: Path) -> Imported:
        today = time_text(self._clock.unix_ms())[:10]
        try:
            return imported(file.read_bytes(), today)
        except OSError as error:
            raise Refused(f"{file} cannot be read: {error.strerror}") from None
        except ListUnreadable as error:
            raise Refused(f"{file}: {error}") from None

    def _layer(self) -> PriceBook:
        try:
            return self._taken.read()
        except TableInvalid as error:
            raise Refused(f"the prices that were taken cannot be used: {error}", BAD_CONFIGURATION) from None
        except OSError as error:
            raise Refused(f"the prices that were taken cannot be read: {error}") from None


def _kinds(settings: Settings) -> Mapping[str, str]:
    """The kind of each configured provider by its name."""
    return {normalise(name): str(section.get("kind", name)) for name, section in settings.providers.items()}


def _customs(settings: Settings) -> tuple[CustomPrice, ...]:
    """The operator's own prices: the tables called `price` of the overrides, in the order of the file."""
    found: list[CustomPrice] = []
    for pattern, section in settings.overrides.items():
        price = section.get("price")
        if price is None:
            continue
        if not isinstance(price, Mapping):
            raise Refused(f'[overrides."{pattern}"] price: write {_EXAMPLE}', BAD_CONFIGURATION)
        try:
            found.append(custom_price(pattern, price))
        except PriceInvalid as error:
            raise Refused(f'[overrides."{pattern}"] price: {error}', BAD_CONFIGURATION) from None
    return tuple(found)


def _only(book: PriceBook, kinds: Collection[str]) -> PriceBook:
    if not kinds:
        return book
    wanted = {priced_kind(kind) for kind in kinds}
    if missing := wanted - book.sheets.keys():
        raise Refused(f"the list has no prices of {min(missing)}", NOT_FOUND)
    sheets = {kind: sheets for kind, sheets in book.sheets.items() if kind in wanted}
    return PriceBook(sheets=sheets, version=book.version, as_of=book.as_of, sources=book.sources)
