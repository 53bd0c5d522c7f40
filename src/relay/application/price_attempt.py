"""Says what an attempt cost, by the prices in force and by what its provider reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from relay.domain.ledger import Outcome
from relay.domain.pricing import (
    Context,
    Cost,
    CustomPrice,
    PriceBook,
    PriceSheet,
    Quote,
    quoted_answer,
    settled,
    unknown,
    with_customs,
)
from relay.domain.usage import Usage, UsageSource

_KEPT_SHEETS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedAttempt:
    """An attempt that is over, as its price depends on it.

    `provider` is its configured name, `kind` what prices are listed under, `model` the provider's exact id.
    `at_ms` is when the attempt began, in unix milliseconds. `context` is what the response said of how it was
    served, and `reported_pusd` what the provider says it charged, in pico-dollars.
    """

    provider: str
    kind: str
    model: str
    at_ms: int
    outcome: Outcome
    usage: Usage
    usage_source: UsageSource
    context: Context = field(default_factory=dict)
    reported_pusd: int | None = None


class PriceAttempt:
    """Pure, for one book and the operator's own prices: another book is another `PriceAttempt`."""

    def __init__(self, book: PriceBook, customs: Sequence[CustomPrice] = ()) -> None:
        self.version = _version(book, customs)
        self._book = book
        self._customs = tuple(customs)
        self._sheets: dict[tuple[str, str, str], PriceSheet | None] = {}

    def __call__(self, attempt: UsedAttempt) -> Cost:
        """The cost. An estimated usage is priced like any other: that it is estimated stays with the usage."""
        sheet = self.sheet(attempt.provider, attempt.kind, attempt.model)
        return settled(_quoted(sheet, attempt), attempt.reported_pusd)

    def sheet(self, provider: str, kind: str, model: str) -> PriceSheet | None:
        """The prices in force for a model; `None` when it has none."""
        key = provider, kind, model
        if key not in self._sheets:
            if len(self._sheets) >= _KEPT_SHEETS:
                self._sheets.clear()
            found = self._book.find(kind, model)
            self._sheets[key] = with_customs(found, self._customs, provider, model)
        return self._sheets[key]


def _quoted(sheet: PriceSheet | None, attempt: UsedAttempt) -> Quote:
    """A call that its provider refused used nothing, which costs nothing; any other without a usage is unknown."""
    is_free = sheet is not None and sheet.is_free
    if attempt.usage_source == "none" and not is_free:
        if attempt.outcome == "error":
            return Quote(state="computed", amount_pusd=0)
        return unknown("no_usage")
    return quoted_answer(sheet, attempt.usage, attempt.at_ms, attempt.context)


def _version(book: PriceBook, customs: Sequence[CustomPrice]) -> str:
    """The book's version, and a digest of the operator's prices where there are any."""
    if not customs:
        return book.version
    return f"{book.version}+{crc32('|'.join(map(_text, customs)).encode()):08x}"


def _text(custom: CustomPrice) -> str:
    rates: Mapping[str, object] = {name: custom.rates[name] for name in sorted(custom.rates)}
    return f"{custom.pattern} {rates} {custom.factor} {custom.is_free}"
