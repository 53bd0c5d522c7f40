"""The rules of virtual models: names, kinds, tags, wildcards and loops."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.catalog import Alias, Catalog, Pool, ProviderEntry
from relay.domain.resolution import Direct, resolve
from relay.settings import Model, PoolTarget
from relay.settings.model_rules import model_findings
from relay.settings.tree import virtual


def alias(target: str) -> Model:
    return Model(target=target)


def redirect(target: str) -> Model:
    return Model(redirect=target)


def pool(*targets: str) -> Model:
    return Model(targets=tuple(PoolTarget(model=target) for target in targets))


def reasons(models: Mapping[str, Model]) -> list[tuple[str | int, str]]:
    return [(finding.path[0], finding.reason) for finding in model_findings(models)]


@pytest.mark.parametrize(
    "models",
    [
        {"a": alias("up/x"), "b": redirect("a"), "c": pool("a", "b", "up/y")},
        {"gpt-*": redirect("openai/gpt-*"), "*": redirect("openai/gpt-5")},
        {"a/b": alias("b"), "b": alias("up/b")},
        {"a": Model(target="up/x", tags=tuple("abcdefghij"), description="for all")},
        {"a": pool("b", "b"), "b": pool("up/x", "up/y")},
    ],
)
def test_what_is_right_is_left_alone(models: Mapping[str, Model]) -> None:
    assert reasons(models) == []


def test_a_ring_is_told_once_and_those_who_lead_into_it_are_not_told() -> None:
    models = {"in": alias("b"), "a": alias("b"), "b": pool("up/x", "c"), "c": redirect("a")}
    assert reasons(models) == [("a", "leads back to itself through b, c")]


def test_two_rings_are_two_mistakes() -> None:
    models = {"a": alias("a"), "b": alias("c"), "c": alias("b")}
    assert [name for name, _ in reasons(models)] == ["a", "b"]


def test_a_ring_through_a_wildcard_is_found() -> None:
    assert reasons({"a": alias("b1"), "b*": redirect("a")}) == [("a", "leads back to itself through b1")]
    assert reasons({"*": redirect("p"), "p": pool("up/x")}) == [("p", "leads back to itself through up/x")]


def test_two_wildcards_that_feed_each_other_are_found() -> None:
    assert [name for name, _ in reasons({"a*": redirect("b*x"), "b*": redirect("a*")})] == ["a*", "b*"]
    assert reasons({"*": redirect("*")}) == []


def test_names_are_equal_without_case_and_latest() -> None:
    models = {"A": alias("up/x"), "a:latest": alias("up/x"), "a:7b": alias("up/x")}
    assert reasons(models) == [("a:latest", 'is the same name as "A"')]


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("", "is no tag"),
        (":web", "is no tag"),
        ("team:", "is no tag"),
        ("a\nb", "is no tag"),
        ("w" * 62, "is too long"),
        ("ollama", "looks like a key or a placeholder for one"),
        ("team:sk-proj-0123456789ab", "looks like a key or a placeholder for one"),
    ],
)
def test_a_tag_that_would_not_be_stored_is_refused(tag: str, reason: str) -> None:
    assert reasons({"a": Model(target="up/x", tags=(tag,))}) == [("a", reason)]


def test_a_secret_in_a_tag_is_not_repeated() -> None:
    (finding,) = model_findings({"a": Model(target="up/x", tags=("sk-proj-canary0123456789",))})
    assert "canary" not in finding.reason + finding.suggestion


@pytest.mark.parametrize("name", ["a\nb", " a", "n" * 513])
def test_a_name_nobody_can_ask_for_is_refused(name: str) -> None:
    assert len(reasons({name: alias("up/x")})) == 1


NAMES = st.sampled_from(["a", "b", "c", "up/x", "d"])


@given(
    st.dictionaries(
        st.sampled_from("abc"),
        st.builds(alias, NAMES) | st.lists(NAMES, min_size=1).map(lambda names: pool(*names)),
    )
)
def test_models_that_are_found_right_lead_to_every_target_of_theirs(models: Mapping[str, Model]) -> None:
    """Where no ring is told of, no name of a target was met twice on its own way."""
    if reasons(models):
        return
    virtuals = tuple(virtual(name, model) for name, model in models.items())
    catalog = Catalog(providers=(ProviderEntry(name="up", kind="x"),), virtuals=virtuals)
    for one in virtuals:
        assert isinstance(one, Alias | Pool)
        ends = _ends(one.name, models)
        found = resolve(one.name, catalog)
        assert isinstance(found, Direct) is bool(ends & {"up/x"})


def _ends(name: str, models: Mapping[str, Model]) -> set[str]:
    model = models.get(name)
    if model is None:
        return {name}
    targets = [model.target] if model.target else [target.model for target in model.targets or ()]
    return set().union(*(_ends(target, models) for target in targets if target))
