"""What the operator says of models in place of their provider."""

from relay.domain.capabilities import Capabilities
from relay.domain.catalog import Alias, Catalog, ModelEntry, ProviderEntry, Target
from relay.domain.overrides import Override, overridden
from relay.domain.resolution import Direct, Unknown, resolve

KNOWN = Capabilities(offered=frozenset({"completion"}), known=True)
PROVIDER = ProviderEntry(
    name="OpenAI",
    kind="openai",
    models=(
        ModelEntry(id="o3-mini", context_tokens=1000, capabilities=KNOWN),
        ModelEntry(id="gpt-5", context_tokens=2000),
    ),
)


def test_a_model_keeps_what_its_provider_says_beside_what_the_operator_says() -> None:
    tools = Override(
        pattern="openai/o3*", capabilities=frozenset({"completion", "tools"}), context_tokens=500
    )
    changed = overridden(PROVIDER, [tools])
    first, second = changed.models
    assert (first.context_tokens, first.capabilities.listed()) == (500, ("completion", "tools"))
    assert first.base == PROVIDER.models[0]
    assert second is PROVIDER.models[1]


def test_later_overrides_lie_over_earlier_ones_field_by_field() -> None:
    overrides = [
        Override(pattern="*/*", context_tokens=1, max_output_tokens=2),
        Override(pattern="openai/gpt*", context_tokens=0),
    ]
    models = overridden(PROVIDER, overrides).models
    assert [(model.context_tokens, model.max_output_tokens) for model in models] == [(1, 2), (0, 2)]


def test_an_override_that_says_what_the_provider_says_changes_nothing() -> None:
    changed = overridden(PROVIDER, [Override(pattern="openai/o3*", context_tokens=1000)])
    assert changed.models[0].base is None


def test_other_providers_are_the_very_same() -> None:
    assert overridden(PROVIDER, [Override(pattern="groq/*", is_disabled=True)]) is PROVIDER


def test_a_disabled_model_is_neither_listed_nor_reached_by_any_name() -> None:
    off = Override(pattern="openai/O3*", is_disabled=True)
    catalog = Catalog(
        providers=(overridden(PROVIDER, [off]),),
        virtuals=(Alias(name="a", target="openai/o3-mini"),),
        disabled=(off.pattern,),
    )
    assert [model.id for model in catalog.providers[0].models] == ["gpt-5"]
    for name in (
        "openai/o3-mini",
        "openai/o3-pro",
        "OpenAI/O3-mini:latest",
        "o3-mini",
        "openai-o3-mini",
        "a",
    ):
        assert isinstance(resolve(name, catalog), Unknown), name
    found = resolve("openai/gpt-4", catalog)
    assert isinstance(found, Direct)
    assert found.targets == (Target(provider="OpenAI", model="gpt-4"),)
