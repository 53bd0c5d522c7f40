"""Quotes, sheets and changes of prices as documents and rows: money as decimal strings, times in UTC."""

from collections.abc import Iterator
from datetime import UTC, datetime

from relay.domain.money import usd_text
from relay.domain.pricing import PriceSheet, Quote, Rule
from relay.domain.pricing.changes import PriceChange, conditions, rates_at


def quote_document(quoted: Quote) -> dict[str, object]:
    """A quote as other programs read it; the names are a stable surface."""
    return {
        "state": quoted.state,
        "amount_usd": _usd(quoted.amount_pusd),
        "lower_bound_usd": _usd(quoted.lower_bound_pusd),
        "lines": [
            {
                "class": line.name,
                "count": line.count,
                "rate_usd": str(line.rate),
                "per": line.per,
                "amount_usd": usd_text(line.amount_pusd),
            }
            for line in quoted.lines
        ],
        "reason": quoted.reason,
        "unpriced": quoted.unpriced,
        "flags": quoted.flags,
    }


def rate_rows(sheet: PriceSheet, at_ms: int) -> Iterator[dict[str, str]]:
    """The rates in force on a day, those of a context or of hours under a name that says so."""
    for name, rate in rates_at(sheet, at_ms).items():
        yield {"rate": name, "usd": str(rate)}


def history_rows(sheet: PriceSheet) -> Iterator[dict[str, str]]:
    """One row for each rate of each rule: from when, until when, in which case."""
    if sheet.is_free:
        yield {"from": "", "until": "", "case": "", "rate": "free", "usd": "0"}
    for rule in sorted(sheet.rules, key=lambda rule: rule.period.from_ms or 0):
        when = {"from": _time(rule.period.from_ms), "until": _time(rule.period.until_ms)}
        case = conditions(rule).strip()
        for name, usd in _rates(rule):
            yield {**when, "case": case, "rate": name, "usd": usd}


def change_document(change: PriceChange, is_taken: bool) -> dict[str, object]:
    """A change as other programs read it."""
    return {
        "model": change.name,
        "change": change.sort,
        "taken": is_taken,
        "moves": [
            {
                "rate": move.rate,
                "before": move.before or None,
                "after": move.after or None,
                "wild": move.is_wild,
            }
            for move in change.moves
        ],
    }


def _rates(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.factor is not None:
        yield "factor", str(rule.factor)
    for name, rate in rule.rates.items():
        yield name, str(rate.base)
        yield from ((f"{name} >{bound}", str(step)) for bound, step in rate.over)


def _usd(pusd: int | None) -> str | None:
    return None if pusd is None else usd_text(pusd)


def _time(at_ms: int | None) -> str:
    if at_ms is None:
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
