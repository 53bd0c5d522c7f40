"""The chain in order, and what each step may and may not do."""

import pytest

from relay.domain.catalog import (
    Alias,
    Catalog,
    Pool,
    ProviderEntry,
    Redirect,
    Router,
    RouterCandidate,
    VirtualModel,
)
from relay.domain.resolution import MAX_DEPTH, STEPS, Ask, Direct, StepName, Unknown, chosen, resolve
from tests.support.builders import catalog, provider

NAME = "openai/gpt-5"
"""A name that every step can answer: the provider lists it under this very id, and its prefix is the provider."""


def router(name: str = "smart", *candidates: str, tags: tuple[str, ...] = ()) -> Router:
    return Router(
        name=name,
        designator="x/judge",
        candidates=tuple(RouterCandidate(model=candidate) for candidate in candidates or ("x/m",)),
        fallback="x/m",
        tags=tags,
    )


def direct(name: str, config: Catalog) -> Direct:
    found = resolve(name, config)
    assert isinstance(found, Direct), found
    return found


def targets(name: str, config: Catalog) -> list[str]:
    return [str(target) for target in direct(name, config).targets]


def test_the_steps_stand_in_the_promised_order() -> None:
    assert [step for step, _ in STEPS] == [
        "redirect", "router", "pool", "alias", "wildcard", "prefix", "search", "default",
    ]  # fmt: skip


EXACT: list[tuple[StepName, VirtualModel]] = [
    ("redirect", Redirect(name=NAME, target="x/redirect")),
    ("router", router(NAME)),
    ("pool", Pool(name=NAME, targets=("x/pool",))),
    ("alias", Alias(name=NAME, target="x/alias")),
]
LATER: dict[str, ProviderEntry | Redirect] = {
    "wildcard": Redirect(name="openai/*", target="x/wildcard"),
    "prefix": provider("openai", "gpt-5"),
    "search": provider("other", NAME),
}


def everything(*first: VirtualModel) -> Catalog:
    return catalog(*first, *LATER.values(), provider("x", "m"), default="x/default")


@pytest.mark.parametrize(("step", "virtual"), EXACT)
def test_an_exact_virtual_model_goes_before_every_later_step(step: StepName, virtual: VirtualModel) -> None:
    found = resolve(NAME, everything(virtual))
    if step == "router":
        assert isinstance(found, Ask)
    else:
        assert isinstance(found, Direct)
        assert (found.resolved_by, [str(target) for target in found.targets]) == (step, [f"x/{step}"])


def test_each_later_step_answers_when_those_before_it_cannot() -> None:
    config = dict(LATER)
    expected = {
        "wildcard": "x/wildcard",
        "prefix": "openai/gpt-5",
        "search": f"other/{NAME}",
        "default": "x/default",
    }
    for step, target in expected.items():
        found = direct(NAME, catalog(*config.values(), provider("x", "m"), default="x/default"))
        assert (found.resolved_by, [str(one) for one in found.targets]) == (step, [target])
        config.pop(step, None)


def test_without_a_default_an_unknown_name_is_unknown_with_the_nearest_names() -> None:
    config = catalog(provider("openai", "gpt-5", "gpt-5-mini"), Alias(name="sonnet", target="openai/gpt-5"))
    assert resolve("gpt-5-mimi", config) == Unknown(
        name="gpt-5-mimi",
        trace=resolve("gpt-5-mimi", config).trace,
        closest=("openai/gpt-5-mini", "openai/gpt-5"),
    )


def test_a_default_is_used_and_seen() -> None:
    found = direct("nothing", catalog(provider("x", "m"), default="m"))
    assert (found.resolved_by, found.virtual) == ("default", "")
    assert found.trace[-1].found == "x/m"


def test_the_default_answers_for_the_callers_name_only_not_for_a_virtual_models_broken_target() -> None:
    config = catalog(
        provider("x", "m"),
        Alias(name="a", target="gone"),
        Pool(name="p", targets=("gone", "lost")),
        default="m",
    )
    assert isinstance(resolve("a", config), Unknown)
    assert isinstance(resolve("p", config), Unknown)


@pytest.mark.parametrize("default", ["itself", "gone"])
def test_a_default_that_leads_nowhere_is_unknown(default: str) -> None:
    config = catalog(Alias(name="itself", target="itself"), default=default)
    assert isinstance(resolve("itself", config), Unknown)
    assert isinstance(resolve("nothing", config), Unknown)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("openai/gpt-5", "openai/GPT-5"),
        ("OpenAI/GPT-5:latest", "openai/GPT-5"),
        (" openai/gpt-5 ", "openai/GPT-5"),
        ("openai-gpt-5", "openai/GPT-5"),
        ("gpt-5", "openai/GPT-5"),
        ("openai/Not-Listed:Q4", "openai/Not-Listed:Q4"),
        (" openai/Not-Listed ", "openai/Not-Listed"),
        ("openai/org/model", "openai/org/model"),
        ("my-host-llama3", "my-host/llama3:latest"),
        ("my-host-llama3:latest", "my-host/llama3:latest"),
    ],
)
def test_a_provider_receives_its_own_exact_id(name: str, target: str) -> None:
    config = catalog(provider("openai", "GPT-5"), provider("my-host", "llama3:latest"), provider("my", "x"))
    assert targets(name, config) == [target]


@pytest.mark.parametrize(
    "name", ["openai-gpt-6", "openai-", "-gpt-5", "openai", "openai/", "/gpt-5", "nobody/gpt-5"]
)
def test_a_dash_prefix_never_invents_a_model_and_an_unknown_prefix_is_no_prefix(name: str) -> None:
    assert isinstance(resolve(name, catalog(provider("openai", "gpt-5"))), Unknown)


def test_a_slash_prefix_goes_before_a_dash_prefix() -> None:
    config = catalog(provider("a-b", "c/d"), provider("a", "b-c/d"), provider("a-b-c", "d"))
    assert targets("a-b-c/d", config) == ["a-b-c/d"]


def test_a_bare_name_is_found_at_the_first_provider_that_offers_it() -> None:
    config = catalog(provider("b", "m"), provider("a", "m"))
    assert targets("m", config) == ["b/m"]


def test_a_wildcard_keeps_the_spelling_of_what_the_star_matched() -> None:
    config = catalog(provider("hub"), Redirect(name="hf/*", target="hub/*"))
    assert targets("HF/Qwen/Qwen2.5-Coder", config) == ["hub/Qwen/Qwen2.5-Coder"]
    assert targets("hf/İstanbul", config) == ["hub/i̇stanbul"]


def test_a_wildcard_may_match_nothing_but_never_overlaps_itself() -> None:
    config = catalog(provider("x"), Redirect(name="ab*ba", target="x/<*>"))
    assert targets("abba", config) == ["x/<>"]
    assert isinstance(resolve("aba", config), Unknown)


def test_the_first_configured_wildcard_wins() -> None:
    config = catalog(provider("x"), Redirect(name="gpt-*", target="x/1"), Redirect(name="g*", target="x/2"))
    assert targets("gpt-5", config) == ["x/1"]
    assert targets("gemini", config) == ["x/2"]


def test_a_catch_all_leads_to_its_target_and_not_in_a_circle() -> None:
    config = catalog(provider("x", "m"), Redirect(name="*", target="X/M"))
    assert targets("anything", config) == ["x/m"]
    assert targets("x/m", config) == ["x/m"]


def test_a_pool_keeps_its_order_without_repeats() -> None:
    config = catalog(
        provider("x", "a", "b", "c"),
        Pool(name="fast", targets=("c", "inner", "a", "x/c")),
        Pool(name="inner", targets=("b", "a")),
    )
    assert targets("fast", config) == ["x/c", "x/b", "x/a"]


def test_a_pool_survives_a_target_that_is_gone_and_passes_over_a_router() -> None:
    config = catalog(provider("x", "m"), router(), Pool(name="fast", targets=("gone", "smart", "m")))
    assert targets("fast", config) == ["x/m"]


@pytest.mark.parametrize("asked", ["old", "alias", "wild-x"])
def test_what_leads_to_a_router_alone_asks_it(asked: str) -> None:
    config = catalog(
        router("smart", "x/m", tags=("r:1",)),
        Redirect(name="old", target="alias"),
        Alias(name="alias", target="smart", tags=("a:1",)),
        Redirect(name="wild-*", target="alias"),
    )
    found = resolve(asked, config)
    assert isinstance(found, Ask)
    assert (found.router.name, found.virtual, found.tags) == ("smart", "alias", ("a:1", "r:1"))


def test_an_alias_speaks_for_itself_and_a_redirect_is_invisible() -> None:
    config = catalog(
        provider("x", "m"),
        Redirect(name="gpt-4", target="nice"),
        Alias(name="nice", target="fast", tags=("team:web",)),
        Pool(name="fast", targets=("m",), tags=("team:web", "cost:low")),
    )
    found = direct("gpt-4", config)
    assert (found.resolved_by, found.virtual, found.tags) == ("redirect", "nice", ("team:web", "cost:low"))
    assert direct("fast", config).virtual == "fast"
    assert direct("m", config).virtual == ""


def test_aliases_may_be_chained_up_to_the_depth_limit() -> None:
    def chain(length: int) -> Catalog:
        links = [Alias(name=f"a{n}", target=f"a{n + 1}") for n in range(length - 1)]
        return catalog(provider("x", "m"), *links, Alias(name=f"a{length - 1}", target="x/m"))

    assert targets("a0", chain(MAX_DEPTH)) == ["x/m"]
    assert isinstance(resolve("a0", chain(MAX_DEPTH + 1)), Unknown)


def test_the_trace_tells_every_step_that_was_tried_for_every_name() -> None:
    config = catalog(provider("openai", "gpt-5"), Alias(name="nice", target="gpt-5"))
    assert [(step.step, step.name, step.found) for step in direct("nice", config).trace] == [
        ("redirect", "nice", ""),
        ("router", "nice", ""),
        ("pool", "nice", ""),
        ("alias", "nice", "gpt-5"),
        ("redirect", "gpt-5", ""),
        ("router", "gpt-5", ""),
        ("pool", "gpt-5", ""),
        ("alias", "gpt-5", ""),
        ("wildcard", "gpt-5", ""),
        ("prefix", "gpt-5", ""),
        ("search", "gpt-5", "openai/gpt-5"),
    ]


def asked(config: Catalog, name: str = "smart") -> Ask:
    found = resolve(name, config)
    assert isinstance(found, Ask)
    return found


def test_a_verdict_resolves_to_its_targets_and_tells_both_ways() -> None:
    config = catalog(
        provider("x", "m"), router(tags=("r:1",)), Alias(name="short", target="x/m", tags=("s:1", "r:1"))
    )
    ask = asked(config)
    found = chosen(ask, "short", config)
    assert isinstance(found, Direct)
    assert [str(target) for target in found.targets] == ["x/m"]
    assert (found.resolved_by, found.virtual, found.tags) == ("router", "smart", ("r:1", "s:1"))
    assert found.trace == (*ask.trace, *direct("short", config).trace)


def test_a_verdict_never_falls_to_the_default_unseen() -> None:
    config = catalog(provider("x", "m"), router(), default="x/m")
    found = chosen(asked(config), "made-up", config)
    assert isinstance(found, Unknown)
    assert found.trace[-1].step == "search"


def test_a_verdict_never_asks_another_router() -> None:
    config = catalog(router("smart", "clever"), router("clever", "smart"))
    found = chosen(asked(config), "clever", config)
    assert isinstance(found, Unknown)
    assert found.trace[-1].found == "router clever"
