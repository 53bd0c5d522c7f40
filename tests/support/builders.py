"""Short ways to spell the domain's values in tests."""

from relay.domain.catalog import Catalog, ModelEntry, ProviderEntry, VirtualModel


def provider(name: str, *models: str | ModelEntry, kind: str = "openai-compatible") -> ProviderEntry:
    """A provider that offers these models, given by id or in full."""
    entries = tuple(model if isinstance(model, ModelEntry) else ModelEntry(id=model) for model in models)
    return ProviderEntry(name=name, kind=kind, models=entries)


def catalog(*entries: ProviderEntry | VirtualModel, default: str | None = None) -> Catalog:
    """A catalog of these entries, in this order."""
    return Catalog(
        providers=tuple(entry for entry in entries if isinstance(entry, ProviderEntry)),
        virtuals=tuple(entry for entry in entries if not isinstance(entry, ProviderEntry)),
        default_model=default,
    )
