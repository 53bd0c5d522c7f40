"""What the operator says of models in place of what their provider says, the provider's word kept beside it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from relay.domain.capabilities import Capabilities, Capability
from relay.domain.catalog import ModelEntry, ProviderEntry, Target
from relay.domain.names import normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """`pattern` is a glob of `provider/model`; what is `None` stays as the provider has it.

    `capabilities` are all that the model has. `is_disabled` takes it out of every list and out of reach.
    """

    pattern: str
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] | None = None
    is_disabled: bool = False

    def fits(self, target: Target) -> bool:
        """Whether the target is one of those that the pattern means."""
        return fnmatchcase(normalise(str(target)), normalise(self.pattern))


def overridden(provider: ProviderEntry, overrides: Iterable[Override]) -> ProviderEntry:
    """The provider's models as the overrides want them, later ones over earlier ones; disabled ones left out.

    A model that is changed has what the provider said of it as its `base`.
    """
    own = [override for override in overrides if _may_mean(override, provider)]
    if not own:
        return provider
    models = (_overridden(provider.name, model, own) for model in provider.models)
    return replace(provider, models=tuple(model for model in models if model is not None))


def _may_mean(override: Override, provider: ProviderEntry) -> bool:
    """Whether the pattern's provider fits; one that holds a `*` before the first `/` may mean any."""
    name, _, _ = normalise(override.pattern).partition("/")
    return "*" in name or fnmatchcase(normalise(provider.name), name)


def _overridden(provider: str, model: ModelEntry, overrides: Iterable[Override]) -> ModelEntry | None:
    target = Target(provider=provider, model=model.id)
    changed = model
    for override in overrides:
        if not override.fits(target):
            continue
        if override.is_disabled:
            return None
        changed = _changed(changed, override)
    return model if changed == model else replace(changed, base=model)


def _changed(model: ModelEntry, override: Override) -> ModelEntry:
    if override.context_tokens is not None:
        model = replace(model, context_tokens=override.context_tokens)
    if override.max_output_tokens is not None:
        model = replace(model, max_output_tokens=override.max_output_tokens)
    if override.capabilities is not None:
        model = replace(model, capabilities=Capabilities(offered=override.capabilities, known=True))
    return model
