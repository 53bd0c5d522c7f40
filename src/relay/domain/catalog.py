"""The catalog: an immutable snapshot of every provider, model and virtual model that is configured.

It is swapped whole; a call keeps the snapshot it started with. Lookups are by normalised name and never
search: the indexes are built once, when the snapshot is made.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from relay.domain.capabilities import Capabilities
from relay.domain.names import normalise

type PoolPolicy = Literal["ordered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A provider and the exact id it knows the model by."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A model a provider offers. Zero or an empty text means the provider did not say.

    `created` is in unix seconds, `size_bytes` the weights' size where there are weights. `base` is what the
    provider says, where the operator says something else.
    """

    id: str
    capabilities: Capabilities = Capabilities()
    context_tokens: int = 0
    max_output_tokens: int = 0
    created: int = 0
    size_bytes: int = 0
    family: str = ""
    parameter_size: str = ""
    quantization: str = ""
    embedding_length: int = 0
    digest: str = ""
    base: "ModelEntry | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """A configured upstream as resolution sees it: its name is the prefix clients use.

    `wire` says in which dialect it is called, and whether bytes of clients of that dialect pass; empty if unknown.
    """

    name: str
    kind: str
    models: tuple[ModelEntry, ...] = ()
    discovered_at: int = 0
    problem: str = ""
    wire: str = ""

    def find(self, model: str) -> ModelEntry | None:
        """The model whose id equals `model` when normalised, or `None`."""
        wanted = normalise(model)
        return next((entry for entry in self.models if normalise(entry.id) == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name of its own for another name: listed, echoed in answers, a dimension of the ledger."""

    name: str
    target: str
    tags: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """An invisible rename. `name` may carry one `*`, and `target` then the same `*`."""

    name: str
    target: str

    @property
    def is_wildcard(self) -> bool:
        """True when the name carries `*`."""
        return "*" in self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Several names tried in the order they stand."""

    name: str
    targets: tuple[str, ...]
    policy: PoolPolicy = "ordered"
    tags: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterCandidate:
    """One model a router may choose, and the note its designator reads."""

    model: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A name whose target a model chooses per call."""

    name: str
    designator: str
    candidates: tuple[RouterCandidate, ...]
    fallback: str
    purpose: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""


type VirtualModel = Alias | Redirect | Pool | Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """One consistent view of what can be called. Provider order is search order.

    `disabled` are globs of `provider/model` that the operator has put out of reach, listed or not.
    """

    providers: tuple[ProviderEntry, ...] = ()
    virtuals: tuple[VirtualModel, ...] = ()
    default_model: str | None = None
    version: int = 0
    disabled: tuple[str, ...] = ()
    _providers_by_name: Mapping[str, ProviderEntry] = field(init=False, repr=False, compare=False)
    _virtuals_by_name: Mapping[str, VirtualModel] = field(init=False, repr=False, compare=False)
    _models_by_name: Mapping[str, tuple[Target, ...]] = field(init=False, repr=False, compare=False)
    _models_by_target: Mapping[tuple[str, str], ModelEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, list[Target]] = {}
        by_target: dict[tuple[str, str], ModelEntry] = {}
        for provider in self.providers:
            for model in provider.models:
                normal = normalise(model.id)
                if (normalise(provider.name), normal) not in by_target:
                    by_target[normalise(provider.name), normal] = model
                    by_name.setdefault(normal, []).append(Target(provider=provider.name, model=model.id))
        assign = object.__setattr__
        assign(self, "_providers_by_name", {normalise(entry.name): entry for entry in self.providers})
        assign(self, "_virtuals_by_name", {normalise(entry.name): entry for entry in self.virtuals})
        assign(self, "_models_by_name", {name: tuple(found) for name, found in by_name.items()})
        assign(self, "_models_by_target", by_target)

    def provider(self, name: str) -> ProviderEntry | None:
        """The provider of this name."""
        return self._providers_by_name.get(normalise(name))

    def virtual(self, name: str) -> VirtualModel | None:
        """The virtual model of exactly this name; wildcard redirects are not looked at."""
        return self._virtuals_by_name.get(normalise(name))

    def wildcards(self) -> Iterator[Redirect]:
        """Wildcard redirects, in configured order."""
        return (entry for entry in self.virtuals if isinstance(entry, Redirect) and entry.is_wildcard)

    def offered(self, model: str) -> tuple[Target, ...]:
        """Every provider's model of this id, in provider order."""
        return self._models_by_name.get(normalise(model), ())

    def model(self, target: Target) -> ModelEntry | None:
        """What is known of a target; `None` when its provider never listed it."""
        return self._models_by_target.get((normalise(target.provider), normalise(target.model)))

    def is_disabled(self, target: Target) -> bool:
        """Whether the operator has put the target out of reach."""
        name = normalise(str(target))
        return any(fnmatchcase(name, normalise(pattern)) for pattern in self.disabled)

    def names(self) -> Iterable[str]:
        """Every name a caller may use and sees in listings: virtual models, then `provider/model`."""
        for virtual in self.virtuals:
            if not isinstance(virtual, Redirect):
                yield virtual.name
        for provider in self.providers:
            for model in provider.models:
                yield f"{provider.name}/{model.id}"
