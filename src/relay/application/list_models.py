"""The models a caller may name: one card per name, from which every listing and every model page is made.

Nothing here waits for a provider: cards come from the current snapshot, so that listings answer while every
provider is down.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import assert_never

from relay.application.calls import Caller
from relay.application.plan_call import read_name
from relay.application.ports import CatalogSource
from relay.domain.access import reached
from relay.domain.capabilities import Capabilities, Capability
from relay.domain.catalog import Catalog, ModelEntry, Redirect, Target
from relay.domain.errors import UnknownModel
from relay.domain.names import closest, normalise
from relay.domain.resolution import Ask, Direct, Resolution, Unknown, resolve

UNDATED = 1_704_067_200
"""2024-01-01: the age of a model whose provider tells none. Clients need a date, and one that never moves."""

_UNSPOKEN: tuple[Capability, ...] = ("completion", "tools")
"""For a model of which no capability is known: the relay passes tools on to it, and clients hide what has none."""

_MAX_KEPT = 64
"""Listings kept of one snapshot. Keys share one per allow-list, so few are needed."""

_HEX = re.compile(r"[0-9a-f]{64}")
_FAMILY = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is shown of one name. Zero or an empty text means unknown; `created` is unix seconds.

    `owner` is the provider's name, empty for a virtual model. `family` is lower-case letters. `digest` is 64
    hexadecimal digits that stay the same as long as the name leads to the same model and that can do the same.
    """

    name: str
    owner: str
    capabilities: tuple[Capability, ...]
    created: int
    digest: str
    family: str
    context_tokens: int = 0
    max_output_tokens: int = 0
    size_bytes: int = 0
    parameter_size: str = ""
    quantization: str = ""
    embedding_length: int = 0


@dataclass(frozen=True, slots=True)
class _Listed:
    """A card and the targets behind it, by which a key's allow-list may reach it."""

    card: ModelCard
    targets: tuple[Target, ...]


@dataclass(slots=True, kw_only=True)
class ListModels:
    """Lists and finds cards over the current snapshot; a snapshot's cards are made once."""

    catalog: CatalogSource
    _snapshot: Catalog | None = field(init=False, default=None, repr=False)
    _listed: dict[str, _Listed] = field(init=False, default_factory=dict, repr=False)
    _kept: dict[tuple[str, ...], tuple[ModelCard, ...]] = field(init=False, default_factory=dict, repr=False)

    def __call__(self, caller: Caller) -> tuple[ModelCard, ...]:
        """Every name the caller may use, newest first: virtual models but redirects, and `provider/model`.

        The very same tuple for every caller of one allow-list as long as the snapshot is the same, so that what
        is made of a listing can be kept by its identity.
        """
        _, listed = self._current()
        allowed = caller.key.models if caller.key else ()
        if (cards := self._kept.get(allowed)) is None:
            entries = listed.values()
            cards = tuple(e.card for e in entries if reached(caller.key, e.card.name, e.targets))
            if len(self._kept) == _MAX_KEPT:
                self._kept.clear()
            self._kept[allowed] = cards
        return cards

    def find(self, name: str, caller: Caller) -> ModelCard:
        """The card of whatever `name` leads to, the same for every spelling of it.

        Also of names that are served and not listed: redirects, bare ids, anything of a provider that lists
        nothing. Raises `UnknownModel`, also for what the caller's key does not reach.
        """
        catalog, listed = self._current()
        entry = listed.get(normalise(name)) or _led_to(name, catalog)
        if entry is None or not reached(caller.key, name, entry.targets):
            near = closest(name, (other.name for other in self(caller)))
            raise UnknownModel(name, near)
        return entry.card

    def _current(self) -> tuple[Catalog, dict[str, _Listed]]:
        catalog = self.catalog.current()
        if catalog is not self._snapshot:
            self._listed = _all_listed(catalog)
            self._kept.clear()
            self._snapshot = catalog
        return catalog, self._listed


def _all_listed(catalog: Catalog) -> dict[str, _Listed]:
    """By normalised name, newest first, in the catalog's order where dates are equal; the first of a name wins."""
    found: dict[str, _Listed] = {}
    for virtual in catalog.virtuals:
        targets = () if isinstance(virtual, Redirect) else _targets(resolve(virtual.name, catalog), catalog)
        if targets:
            found.setdefault(normalise(virtual.name), _listed(virtual.name, "", targets, catalog))
    for provider in catalog.providers:
        for model in provider.models:
            target = Target(provider=provider.name, model=model.id)
            found.setdefault(normalise(str(target)), _listed(str(target), provider.name, (target,), catalog))
    return dict(sorted(found.items(), key=lambda item: -item[1].card.created))


def _led_to(name: str, catalog: Catalog) -> _Listed | None:
    _, _, resolution = read_name(name, catalog)
    targets = _targets(resolution, catalog)
    if isinstance(resolution, Direct) and resolution.resolved_by == "prefix":
        # The prefix alone leads to anything; a provider that lists its models does not have what it leaves out.
        targets = tuple(target for target in targets if _is_believable(target, catalog))
    return _listed(normalise(name), targets[0].provider, targets, catalog) if targets else None


def _is_believable(target: Target, catalog: Catalog) -> bool:
    provider = catalog.provider(target.provider)
    return catalog.model(target) is not None or provider is None or not provider.models


def _targets(resolution: Resolution, catalog: Catalog) -> tuple[Target, ...]:
    """Where a name leads; a router counts as its fallback, as what it will choose depends on the call."""
    match resolution:
        case Direct(targets=targets):
            return targets
        case Ask(router=router):
            behind = resolve(router.fallback, catalog)
            return behind.targets if isinstance(behind, Direct) else ()
        case Unknown():
            return ()
        case _:
            assert_never(resolution)


def _listed(name: str, owner: str, targets: tuple[Target, ...], catalog: Catalog) -> _Listed:
    """A name's card has what its first target has: that is the one normally called."""
    first = targets[0]
    entry = catalog.model(first) or ModelEntry(id=first.model)
    card = ModelCard(
        name=name,
        owner=owner,
        capabilities=_capabilities(entry.capabilities),
        created=entry.created or UNDATED,
        digest=_digest(name, owner, targets, entry),
        family=_family(entry, first, catalog),
        context_tokens=entry.context_tokens,
        max_output_tokens=entry.max_output_tokens,
        size_bytes=entry.size_bytes,
        parameter_size=entry.parameter_size,
        quantization=entry.quantization,
        embedding_length=entry.embedding_length,
    )
    return _Listed(card, targets)


def _capabilities(known: Capabilities) -> tuple[Capability, ...]:
    return known.listed() if known.known else _UNSPOKEN


def _digest(name: str, owner: str, targets: tuple[Target, ...], entry: ModelEntry) -> str:
    """The weights' own digest where there is one, else one of what the name stands for.

    Clients keep by it what a model can do, so it is another one when that has changed.
    """
    own = entry.digest.lower().removeprefix("sha256:")
    if owner and _HEX.fullmatch(own):
        return own
    facts = (*_capabilities(entry.capabilities), str(entry.context_tokens))
    spelled = "\0".join((normalise(name), *map(str, targets), *facts))
    return hashlib.sha256(spelled.encode()).hexdigest()


def _family(entry: ModelEntry, target: Target, catalog: Catalog) -> str:
    """What the provider says, else the id's leading word (`gpt` of `gpt-5-mini`), else the provider's kind."""
    provider = catalog.provider(target.provider)
    guesses = (entry.family, target.model.rpartition("/")[2], provider.kind if provider else "")
    words = (match[0] for guess in guesses if (match := _FAMILY.match(guess.lower())))
    return next(words, "model")
