"""The catalog finds by normalised name and gives back exact ids."""

import pytest

from relay.domain.catalog import Alias, ModelEntry, Pool, Redirect, Target
from tests.support.builders import catalog, provider


def test_a_provider_and_a_model_are_found_whatever_the_spelling_and_named_exactly() -> None:
    config = catalog(provider("OpenAI", "GPT-5", "llama3:latest"))
    found = config.provider("openai")
    assert found is not None
    assert found.name == "OpenAI"
    assert config.offered("gpt-5:latest") == (Target(provider="OpenAI", model="GPT-5"),)
    assert config.model(Target(provider="openai", model="LLAMA3")) == ModelEntry(id="llama3:latest")


def test_every_provider_of_a_model_is_listed_in_configured_order() -> None:
    config = catalog(provider("b", "m"), provider("a", "M"), provider("c", "other"))
    assert [str(target) for target in config.offered("m")] == ["b/m", "a/M"]


def test_one_provider_offers_a_model_once_though_it_lists_two_spellings() -> None:
    config = catalog(provider("a", "m", "M:latest"))
    assert [str(target) for target in config.offered("m")] == ["a/m"]
    assert config.model(Target(provider="a", model="M:latest")) == ModelEntry(id="m")


def test_what_is_not_there_is_none() -> None:
    config = catalog()
    assert config.provider("x") is None
    assert config.virtual("x") is None
    assert config.model(Target(provider="x", model="y")) is None
    assert config.offered("x") == ()


def test_a_wildcard_is_a_virtual_model_only_by_its_own_name() -> None:
    star = Redirect(name="gpt-*", target="openai/*")
    config = catalog(star, Redirect(name="old", target="new"))
    assert config.virtual("gpt-5") is None
    assert list(config.wildcards()) == [star]


def test_redirects_are_not_listed() -> None:
    config = catalog(
        provider("a", "m"),
        Alias(name="nice", target="a/m"),
        Redirect(name="hidden", target="a/m"),
        Pool(name="fast", targets=("a/m",)),
    )
    assert list(config.names()) == ["nice", "fast", "a/m"]


def test_two_snapshots_of_the_same_configuration_are_equal() -> None:
    assert catalog(provider("a", "m")) == catalog(provider("a", "m"))
    assert catalog(provider("a", "m")) != catalog(provider("a", "n"))


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        catalog().version = 2  # type: ignore[misc]
