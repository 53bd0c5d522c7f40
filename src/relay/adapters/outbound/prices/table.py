"""The price table as a file, `llm-relay-prices/1`: JSON with decimal strings, one model a line, bytes that repeat.

Rates are dollars: per million tokens or characters, per thousand requests, searches, images or pages, per hour of
audio. `over` lists the steps of a rate for prompts of more than so many tokens. Times are UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec

from relay.domain.names import normalise
from relay.domain.pricing import Exact, Period, PriceBook, PriceInvalid, PriceSheet, Rate, Rule, checked
from relay.domain.pricing.changes import clock_text
from relay.domain.pricing.sheet import ALWAYS, DAY_MINUTES

FORMAT = "llm-relay-prices/1"
VERSION_DIGITS = 16


class TableInvalid(ValueError):
    """A price table that cannot be used; the message says where and why."""


class WireSteps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rate with steps."""

    base: str
    over: tuple[tuple[int, str], ...]


class WireRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule; `from` and `until` are dates or instants, `hours_utc` such as `22:30-04:00`."""

    when: dict[str, str] = {}
    from_: str = msgspec.field(name="from", default="")
    until: str = ""
    hours_utc: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    factor: str = ""
    rates: dict[str, str | WireSteps] = {}


class WireModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A sheet."""

    id: str
    ids: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    free: bool = False
    rules: tuple[WireRule, ...] = ()
    source: str = ""
    as_of: str = ""


class WireTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole file."""

    format: str
    currency: str
    as_of: str
    sources: tuple[str, ...] = ()
    providers: dict[str, tuple[WireModel, ...]]


_TABLE = msgspec.json.Decoder(WireTable)
_ENCODER = msgspec.json.Encoder()


def read_table(data: bytes) -> PriceBook:
    """The book of a file; its version names the bytes. Raises `TableInvalid`."""
    try:
        table = _TABLE.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TableInvalid(str(error)) from None
    if table.format != FORMAT or table.currency != "USD":
        raise TableInvalid(f"not a table in USD of the format {FORMAT}")
    sheets = {
        kind: tuple(_sheet(kind, model) for model in models) for kind, models in table.providers.items()
    }
    for kind, own in sheets.items():
        _refuse_doubles(kind, own)
    version = sha256(data).hexdigest()[:VERSION_DIGITS]
    return PriceBook(sheets=sheets, version=version, as_of=table.as_of, sources=table.sources)


def write_table(book: PriceBook) -> bytes:
    """The file of a book, sorted, so that equal books are equal bytes."""
    lines = [
        f'{{"format":{_json(FORMAT)},"currency":"USD","as_of":{_json(book.as_of)},',
        f'"sources":{_json(book.sources)},',
        '"providers":{',
    ]
    kinds = sorted(kind for kind, sheets in book.sheets.items() if sheets)
    for kind in kinds:
        models = sorted(book.sheets[kind], key=lambda sheet: sheet.id)
        lines.append(f"{_json(kind)}:[")
        lines += [
            _json(_wire(sheet)) + ("," if number < len(models) else "")
            for number, sheet in enumerate(models, 1)
        ]
        lines.append("]" if kind == kinds[-1] else "],")
    return "\n".join((*lines, "}}", "")).encode()


def _json(value: object) -> str:
    return _ENCODER.encode(value).decode()


def _sheet(kind: str, model: WireModel) -> PriceSheet:
    try:
        return checked(
            PriceSheet(
                id=model.id,
                rules=tuple(map(_rule, model.rules)),
                ids=model.ids,
                dated=model.dated,
                globs=model.globs,
                is_free=model.free,
                source=model.source,
                as_of=model.as_of,
            )
        )
    except ValueError as error:
        raise TableInvalid(f"{kind}/{model.id}: {error}") from None


def _rule(rule: WireRule) -> Rule:
    return Rule(
        rates={name: _rate(name, value) for name, value in rule.rates.items()},
        when=tuple(sorted(rule.when.items())),
        period=_period(rule),
        factor=Exact.of(rule.factor) if rule.factor else None,
    )


_flat = lru_cache(4096)(Rate.of)
"""Most rates are the same few."""


def _rate(name: str, value: str | WireSteps) -> Rate:
    try:
        return _flat(value) if isinstance(value, str) else Rate.of(value.base, value.over)
    except PriceInvalid as error:
        raise PriceInvalid(error.reason, name) from None


def _period(rule: WireRule) -> Period:
    if not (rule.from_ or rule.until or rule.hours_utc or rule.weekdays):
        return ALWAYS
    if not set(rule.weekdays) <= set(range(1, 8)):
        raise PriceInvalid("weekdays are 1, Monday, to 7")
    return Period(
        from_ms=unix_ms(rule.from_) if rule.from_ else None,
        until_ms=unix_ms(rule.until) if rule.until else None,
        hours=tuple(map(_window, rule.hours_utc)),
        weekdays=frozenset(rule.weekdays),
    )


def unix_ms(text: str) -> int:
    """Unix milliseconds of an ISO date or instant; without an offset it is in UTC. Raises `ValueError`."""
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def time_text(at_ms: int) -> str:
    """The shortest that `unix_ms` reads back."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    if (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0):
        return at.date().isoformat()
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def _window(text: str) -> tuple[int, int]:
    start, dash, end = text.partition("-")
    minutes = _minute(start), _minute(end)
    if not dash or minutes[0] == minutes[1]:
        raise PriceInvalid(f"no hours: {text!r}")
    return minutes


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (len(text) == 5 and hour.isdigit() and minute.isdigit() and int(hour) < 25 and int(minute) < 60):
        raise PriceInvalid(f"no time of day: {text!r}")
    return min(int(hour) * 60 + int(minute), DAY_MINUTES)


def _refuse_doubles(kind: str, sheets: Iterable[PriceSheet]) -> None:
    """One name must mean one sheet."""
    for field in ("ids", "dated"):
        seen: set[str] = set()
        for sheet in sheets:
            names: Sequence[str] = (sheet.id, *sheet.ids) if field == "ids" else sheet.dated
            for name in set(map(normalise, names)):
                if name in seen:
                    raise TableInvalid(f"{kind}/{sheet.id}: {name} means two models")
                seen.add(name)


def _wire(sheet: PriceSheet) -> WireModel:
    return WireModel(
        id=sheet.id,
        ids=sheet.ids,
        dated=sheet.dated,
        globs=sheet.globs,
        free=sheet.is_free,
        rules=tuple(map(_wire_rule, sheet.rules)),
        source=sheet.source,
        as_of=sheet.as_of,
    )


def _wire_rule(rule: Rule) -> WireRule:
    period = rule.period
    known: Mapping[str, Any] = {
        "when": dict(rule.when),
        "from_": "" if period.from_ms is None else time_text(period.from_ms),
        "until": "" if period.until_ms is None else time_text(period.until_ms),
        "hours_utc": tuple(f"{clock_text(start)}-{_end_text(end)}" for start, end in period.hours),
        "weekdays": tuple(sorted(period.weekdays)),
        "factor": "" if rule.factor is None else str(rule.factor),
        "rates": {name: _wire_rate(rate) for name, rate in rule.rates.items()},
    }
    return WireRule(**known)


def _end_text(minute: int) -> str:
    return "24:00" if minute == DAY_MINUTES else clock_text(minute)


def _wire_rate(rate: Rate) -> str | WireSteps:
    if not rate.over:
        return str(rate.base)
    return WireSteps(base=str(rate.base), over=tuple((bound, str(step)) for bound, step in rate.over))
