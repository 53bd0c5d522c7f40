"""From a name to targets, by a chain of small steps, with the trace that explains it.

Theory of operation. `resolve` walks `STEPS` in order. A step looks at the name and answers with an outcome or
passes. A virtual model's own targets are names again, so they are resolved by the same chain, iteratively,
with a set of names already seen: resolution ends for every catalog, loops included. Nothing here does I/O: a
router is answered with `Ask`, and whoever called puts the question to a model.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from relay.domain.catalog import Alias, Catalog, Pool, Redirect, Router, Target
from relay.domain.names import closest, normalise, split_prefix

type StepName = Literal["redirect", "router", "pool", "alias", "wildcard", "prefix", "search", "default"]

MAX_DEPTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One step that was tried: for which name, and what it found (empty when it passed)."""

    step: StepName
    name: str
    found: str = ""


type Trace = tuple[TraceStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """The name leads to these targets, to be tried in order.

    `resolved_by` is the first step that matched, `virtual` the virtual model the answer speaks for, if any, and
    `tags` the raw tags bound to the virtual models passed through.
    """

    targets: tuple[Target, ...]
    resolved_by: StepName
    trace: Trace
    virtual: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The name is a router's: a model must be asked which candidate to take. `virtual` as in `Direct`."""

    router: Router
    trace: Trace
    virtual: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The name leads nowhere; `closest` are names that look like it."""

    name: str
    trace: Trace
    closest: tuple[str, ...] = ()


type Resolution = Direct | Ask | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """A step's answer that consists of further names to resolve."""

    names: tuple[str, ...]
    tags: tuple[str, ...] = ()
    virtual: str = ""


type _Outcome = Target | Router | _Names
type _Step = Callable[[str, Catalog], _Outcome | None]


def by_redirect(name: str, catalog: Catalog) -> _Outcome | None:
    """An exact, invisible rename."""
    virtual = catalog.virtual(name)
    if isinstance(virtual, Redirect) and not virtual.is_wildcard:
        return _Names(names=(virtual.target,))
    return None


def by_router(name: str, catalog: Catalog) -> _Outcome | None:
    """A smart router."""
    virtual = catalog.virtual(name)
    return virtual if isinstance(virtual, Router) else None


def by_pool(name: str, catalog: Catalog) -> _Outcome | None:
    """Several names in order."""
    virtual = catalog.virtual(name)
    if isinstance(virtual, Pool):
        return _Names(names=virtual.targets, tags=virtual.tags, virtual=virtual.name)
    return None


def by_alias(name: str, catalog: Catalog) -> _Outcome | None:
    """A name of its own for another name."""
    virtual = catalog.virtual(name)
    if isinstance(virtual, Alias):
        return _Names(names=(virtual.target,), tags=virtual.tags, virtual=virtual.name)
    return None


def by_wildcard(name: str, catalog: Catalog) -> _Outcome | None:
    """An invisible rename by pattern; what `*` matched is put, as it was spelled, into the target's `*`.

    A rename of a name to itself is none: so the target of a catch-all stays within reach.
    """
    normal, spelled = normalise(name), name.strip()
    if len(spelled.lower()) != len(spelled):  # U+0130 alone: positions would not agree
        spelled = normal
    for redirect in catalog.wildcards():
        head, _, tail = normalise(redirect.name).partition("*")
        fits = len(normal) >= len(head) + len(tail) and normal.startswith(head) and normal.endswith(tail)
        middle = spelled[len(head) : len(normal) - len(tail)]
        renamed = redirect.target.replace("*", middle, 1)
        if fits and normalise(renamed) != normal:
            return _Names(names=(renamed,))
    return None


def by_prefix(name: str, catalog: Catalog) -> _Outcome | None:
    """`provider/model`, also of a model the provider never listed; `provider-model` only of a listed one."""
    name = name.strip()
    for prefix, model in split_prefix(name, "/"):
        if provider := catalog.provider(prefix):
            target = Target(provider=provider.name, model=model)
            entry = catalog.model(target)
            if entry is not None or not catalog.is_disabled(target):
                return replace(target, model=entry.id) if entry else target
    for prefix, model in split_prefix(name, "-"):
        provider = catalog.provider(prefix)
        if provider and (entry := catalog.model(Target(provider=provider.name, model=model))):
            return Target(provider=provider.name, model=entry.id)
    return None


def by_search(name: str, catalog: Catalog) -> _Outcome | None:
    """A bare model id; of several providers that offer it, the first configured."""
    offered = catalog.offered(name)
    return offered[0] if offered else None


def by_default(name: str, catalog: Catalog) -> _Outcome | None:
    """The default model, when one is set. Its use is always visible: `resolved_by` says so."""
    default = catalog.default_model
    if default is None or normalise(default) == normalise(name):
        return None
    return _Names(names=(default,))


STEPS: tuple[tuple[StepName, _Step], ...] = (
    ("redirect", by_redirect),
    ("router", by_router),
    ("pool", by_pool),
    ("alias", by_alias),
    ("wildcard", by_wildcard),
    ("prefix", by_prefix),
    ("search", by_search),
    ("default", by_default),
)


@dataclass(slots=True)
class _Walk:
    """What one resolution has met so far."""

    catalog: Catalog
    seen: set[str]
    trace: list[TraceStep]
    targets: list[Target]
    tags: list[str]
    first_step: StepName | None = None
    virtual: str = ""

    def match(self, name: str, *, allow_default: bool) -> tuple[StepName, _Outcome] | None:
        for step, find in STEPS:
            if step == "default" and not allow_default:
                continue
            outcome = find(name, self.catalog)
            self.trace.append(TraceStep(step=step, name=name, found=_spelled(outcome)))
            if outcome is not None:
                return step, outcome
        return None


def resolve(name: str, catalog: Catalog) -> Resolution:
    """Where `name` leads. Deterministic, total, and without I/O.

    A router met below another virtual model is asked for only when it is the way of the name itself: inside a
    pool it is passed over, as a pool's order may not depend on a model's opinion.
    """
    return _resolved(name, catalog, allow_default=True)


def _resolved(name: str, catalog: Catalog, *, allow_default: bool) -> Resolution:
    walk = _Walk(catalog, set(), [], [], [])
    router = _follow(name, walk, allow_default=allow_default)
    trace = tuple(walk.trace)
    if router is not None:
        tags = tuple(dict.fromkeys((*walk.tags, *router.tags)))
        return Ask(router=router, trace=trace, virtual=walk.virtual or router.name, tags=tags)
    if walk.targets and walk.first_step is not None:
        return Direct(
            targets=tuple(dict.fromkeys(walk.targets)),
            resolved_by=walk.first_step,
            trace=trace,
            virtual=walk.virtual,
            tags=tuple(dict.fromkeys(walk.tags)),
        )
    return Unknown(name=name, trace=trace, closest=closest(name, catalog.names()))


def _follow(name: str, walk: _Walk, *, allow_default: bool) -> Router | None:
    """Resolve names from a stack until targets remain; returns a router that stands alone in the way."""
    pending: list[tuple[str, int, bool]] = [(name, 0, True)]
    while pending:
        current, depth, alone = pending.pop()
        if normalise(current) in walk.seen or depth > MAX_DEPTH:
            continue
        walk.seen.add(normalise(current))
        matched = walk.match(current, allow_default=allow_default and depth == 0)
        if matched is None:
            continue
        step, outcome = matched
        walk.first_step = walk.first_step or step
        match outcome:
            case Target():
                walk.targets.append(outcome)
            case Router():
                if alone:
                    return outcome
            case _Names():
                walk.tags.extend(outcome.tags)
                walk.virtual = walk.virtual or outcome.virtual
                alone = alone and len(outcome.names) == 1
                pending.extend((inner, depth + 1, alone) for inner in reversed(outcome.names))
    return None


def chosen(ask: Ask, name: str, catalog: Catalog) -> Resolution:
    """The resolution that follows a router's verdict `name`; the trace tells both ways.

    A verdict is a model's own name: it never falls to the default, which would go unseen behind the router,
    and never to another router, which could ask in circles. Either is `Unknown`.
    """
    inner = _resolved(name, catalog, allow_default=False)
    trace = (*ask.trace, *inner.trace)
    match inner:
        case Direct():
            tags = tuple(dict.fromkeys((*ask.tags, *inner.tags)))
            return replace(inner, resolved_by="router", trace=trace, virtual=ask.virtual, tags=tags)
        case Ask():
            return Unknown(name=name, trace=trace)
        case Unknown():
            return replace(inner, trace=trace)
        case _:
            assert_never(inner)


def _spelled(outcome: _Outcome | None) -> str:
    match outcome:
        case None:
            return ""
        case Target():
            return str(outcome)
        case Router(name=name):
            return f"router {name}"
        case _Names(names=names):
            return ", ".join(names)
