"""What a newer price table would change, for a person to review, and the book with what was accepted.

A table without dates says what holds now: its prices then hold from when it is taken, and the older ones stay for
older requests and for what the newer table does not speak of. A model that a table no longer lists keeps its
prices. The operator's own prices are not in the book, so that no table can touch them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from relay.domain.names import normalise
from relay.domain.pricing.book import PriceBook
from relay.domain.pricing.rates import Exact
from relay.domain.pricing.sheet import DAY_MINUTES, Period, PriceSheet, Rule

type ChangeSort = Literal["new", "changed", "quarantined", "gone"]

MAX_MOVE = 3
"""A rate that moves by more than this factor is more likely a mistake than a price."""


@dataclass(frozen=True, slots=True)
class Move:
    """One rate before and after, in dollars; empty where there is none."""

    rate: str
    before: str
    after: str
    is_wild: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """One model's change. A quarantined one has a wild move and is taken only when it is named."""

    kind: str
    model: str
    sort: ChangeSort
    moves: tuple[Move, ...] = ()
    before: PriceSheet | None = None
    after: PriceSheet | None = None

    @property
    def name(self) -> str:
        """`kind/model`."""
        return f"{self.kind}/{self.model}"


def changes(current: PriceBook, newer: PriceBook, now_ms: int) -> tuple[PriceChange, ...]:
    """What differs at `now_ms` or is to come later, by kind and model. Kinds that `newer` lacks are left alone."""
    found: list[PriceChange] = []
    for kind, sheets in sorted(newer.sheets.items()):
        old = {sheet.id: sheet for sheet in current.sheets.get(kind, ())}
        listed = {sheet.id for sheet in sheets}
        found += (change for sheet in sheets if (change := _change(current, kind, sheet, now_ms)))
        found += (
            PriceChange(kind=kind, model=name, sort="gone", before=sheet)
            for name, sheet in old.items()
            if name not in listed
        )
    return tuple(sorted(found, key=lambda change: (change.kind, change.model)))


def taken(layer: PriceBook, accepted: Collection[PriceChange], newer: PriceBook, at_ms: int) -> PriceBook:
    """The layer of taken prices with those of the accepted changes, which `newer` gave rise to.

    `at_ms` is when prices without a date begin to hold.
    """
    sheets = {kind: {sheet.id: sheet for sheet in own} for kind, own in layer.sheets.items()}
    for change in accepted:
        if change.after is not None:
            after = change.after if change.before is None else _continued(change.before, change.after, at_ms)
            sheets.setdefault(change.kind, {})[change.model] = after
    return PriceBook(
        sheets={kind: _distinct(tuple(own.values())) for kind, own in sheets.items()},
        as_of=max(layer.as_of, newer.as_of),
        sources=tuple(dict.fromkeys((*layer.sources, *newer.sources))),
    )


def rates_at(sheet: PriceSheet, at_ms: int) -> Mapping[str, Exact]:
    """Every rate by a name that says its step, context and hours, as the sheet has them on that day."""
    return dict(_named_rates(sheet, at_ms))


def _change(current: PriceBook, kind: str, new: PriceSheet, now_ms: int) -> PriceChange | None:
    """The change, also from the sheet that would be used for a model that has none of its own; `None` without."""
    old = current.find(kind, new.id)
    if old is None:
        return PriceChange(kind=kind, model=new.id, sort="new", after=new)
    moves = tuple(dict.fromkeys(move for at_ms in _instants(new, now_ms) for move in _moves(old, new, at_ms)))
    if old.is_free != new.is_free:
        moves += (Move("free", str(old.is_free).lower(), str(new.is_free).lower(), is_wild=True),)
    if not moves:
        return None
    sort: ChangeSort = "quarantined" if any(move.is_wild for move in moves) else "changed"
    return PriceChange(kind=kind, model=new.id, sort=sort, moves=moves, before=old, after=new)


def _instants(sheet: PriceSheet, now_ms: int) -> Iterator[int]:
    yield now_ms
    starts = {rule.period.from_ms for rule in sheet.rules}
    yield from sorted(start for start in starts if start is not None and start > now_ms)


def _moves(old: PriceSheet, new: PriceSheet, at_ms: int) -> Iterator[Move]:
    before, after = rates_at(old, at_ms), rates_at(new, at_ms)
    for name in dict.fromkeys((*before, *after)) if _is_dated(new) else after:
        was, becomes = before.get(name), after.get(name)
        if was != becomes:
            yield Move(name, str(was or ""), str(becomes or ""), is_wild=_is_wild(was, becomes))


def _is_wild(before: Exact | None, after: Exact | None) -> bool:
    if before is None or after is None:
        return False
    one, other = before.digits * 10**after.decimals, after.digits * 10**before.decimals
    return bool(max(one, other) > MAX_MOVE * min(one, other))


def _named_rates(sheet: PriceSheet, at_ms: int) -> Iterator[tuple[str, Exact]]:
    for rule in _in_force(sheet.rules, at_ms):
        suffix = conditions(rule)
        if rule.factor is not None:
            yield f"factor{suffix}", rule.factor
        for name, rate in rule.rates.items():
            yield f"{name}{suffix}", rate.base
            yield from ((f"{name} >{bound}{suffix}", step) for bound, step in rate.over)


def _in_force(rules: Iterable[Rule], at_ms: int) -> Iterable[Rule]:
    """The last rule of each context and clock whose dates hold."""
    return {_place(rule): rule for rule in rules if rule.period.holds_by_date(at_ms)}.values()


def conditions(rule: Rule) -> str:
    """The context, hours and weekdays of a rule, each in brackets behind a blank; empty where there are none."""
    return "".join(f" [{key}={value}]" for key, value in rule.when) + _clock(rule.period)


def _clock(period: Period) -> str:
    hours = ",".join(f"{clock_text(start)}-{clock_text(end)}" for start, end in period.hours)
    days = ",".join(map(str, sorted(period.weekdays)))
    return (f" [{hours}]" if hours else "") + (f" [weekdays {days}]" if days else "")


def clock_text(minute: int) -> str:
    """A minute of the day as `HH:MM`."""
    hour, minute = divmod(minute % DAY_MINUTES, 60)
    return f"{hour:02}:{minute:02}"


def _continued(old: PriceSheet, new: PriceSheet, at_ms: int) -> PriceSheet:
    """The newer sheet, found by the older one's names too if both are of one id.

    One without dates begins at `at_ms`, and leaves the older one's past and what it does not speak of.
    """
    if old.id == new.id:
        new = replace(
            new,
            ids=_both(new.ids, old.ids),
            dated=_both(new.dated, old.dated),
            globs=_both(new.globs, old.globs),
        )
    if _is_dated(new) or old.is_free or new.is_free:
        return new
    before = {_place(rule): rule for rule in old.rules if rule.period.holds_by_date(at_ms)}
    begun = tuple(_begun(rule, before.get(_place(rule)), at_ms) for rule in new.rules)
    replaced = {_place(rule) for rule in new.rules}
    ended = tuple(
        replace(rule, period=replace(rule.period, until_ms=at_ms))
        if not _is_standard(rule) and _place(rule) in replaced and rule is before.get(_place(rule))
        else rule
        for rule in old.rules
    )
    outlast = () if any(_has_clock(rule) for rule in new.rules) else tuple(filter(_has_clock, ended))
    return replace(new, rules=(*(rule for rule in ended if rule not in outlast), *begun, *outlast))


def _distinct(sheets: tuple[PriceSheet, ...]) -> tuple[PriceSheet, ...]:
    """The sheets, each name meaning one of them: its own id before all, then the first that has it."""
    ids = {normalise(sheet.id) for sheet in sheets}
    dated: set[str] = set()
    kept: list[PriceSheet] = []
    for sheet in sheets:
        own = tuple(name for name in sheet.ids if normalise(name) not in ids)
        free = tuple(name for name in sheet.dated if normalise(name) not in dated)
        ids.update(map(normalise, own))
        dated.update(map(normalise, free))
        kept.append(replace(sheet, ids=own, dated=free))
    return tuple(kept)


def _both(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *others)))


def _begun(rule: Rule, before: Rule | None, at_ms: int) -> Rule:
    rates = {**before.rates, **rule.rates} if before else rule.rates
    return replace(rule, rates=rates, period=replace(rule.period, from_ms=at_ms))


def _is_dated(sheet: PriceSheet) -> bool:
    return any(rule.period.from_ms is not None for rule in sheet.rules)


def _is_standard(rule: Rule) -> bool:
    return not rule.when and rule.factor is None


def _has_clock(rule: Rule) -> bool:
    """Whether it is a standard rule for some hours or weekdays: of standard rules the last that holds counts."""
    return _is_standard(rule) and bool(rule.period.hours or rule.period.weekdays)


def _place(rule: Rule) -> tuple[object, ...]:
    """What a rule is for, whatever its dates: of those that share it, one is in force."""
    return rule.when, rule.period.hours, rule.period.weekdays, rule.factor is None
