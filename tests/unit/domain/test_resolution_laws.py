"""Resolution ends, says the same twice, and explains itself, for every catalog."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.domain.catalog import Alias, Catalog, Pool, Redirect
from relay.domain.names import normalise
from relay.domain.resolution import (
    MAX_DEPTH,
    STEPS,
    Ask,
    Direct,
    Resolution,
    TraceStep,
    Unknown,
    chosen,
    resolve,
)
from tests.support.builders import catalog, provider
from tests.support.strategies.catalogs import catalogs, names

ORDER = [step for step, _ in STEPS]
LOOPS = (
    catalog(Alias(name="a", target="b"), Alias(name="b", target="A:latest")),
    catalog(Redirect(name="a*", target="aa*")),
    catalog(Redirect(name="*", target="*x"), Redirect(name="x", target="*")),
    catalog(Pool(name="a", targets=("a", "b", "a")), Pool(name="b", targets=("a", "b"))),
    catalog(provider("x", "m"), Pool(name="a", targets=("a", "x/m"))),
    catalog(default="a"),
    catalog(Alias(name="a", target="b"), default="a"),
)


def rounds(resolution: Resolution) -> list[list[TraceStep]]:
    """The trace by name looked at: each round begins with the first step."""
    split: list[list[TraceStep]] = []
    for step in resolution.trace:
        if step.step == ORDER[0]:
            split.append([])
        split[-1].append(step)
    return split


@given(st.one_of(catalogs(), st.sampled_from(LOOPS)), names())
@example(LOOPS[0], "a")
@example(LOOPS[1], "a")
@example(LOOPS[2], "x")
@example(LOOPS[3], "a")
@example(LOOPS[4], "a")
@example(LOOPS[6], "a")
def test_resolution_ends_and_says_the_same_twice(config: Catalog, name: str) -> None:
    first = resolve(name, config)
    assert resolve(name, config) == first
    pool_targets = sum(len(entry.targets) for entry in config.virtuals if isinstance(entry, Pool))
    assert len(rounds(first)) <= (1 + pool_targets) * (MAX_DEPTH + 1)


@given(catalogs(), names())
def test_the_trace_explains_the_outcome(config: Catalog, name: str) -> None:
    resolution = resolve(name, config)
    seen: set[str] = set()
    for steps in rounds(resolution):
        assert len({step.name for step in steps}) == 1
        assert normalise(steps[0].name) not in seen, "no name is looked at twice"
        seen.add(normalise(steps[0].name))
        assert [step.step for step in steps] == ORDER[: len(steps)], "in order, none left out"
        assert all(not step.found for step in steps[:-1]), "only the last may have found something"
        assert steps[-1].found or len(steps) >= len(ORDER) - 1, "and it did, or every step passed"
    found = [step.found for step in resolution.trace if step.found]
    match resolution:
        case Direct():
            assert {str(target) for target in resolution.targets} <= set(found)
            assert resolution.resolved_by == next(step.step for step in resolution.trace if step.found)
        case Ask():
            assert found[-1] == f"router {resolution.router.name}"
        case Unknown():
            assert resolution.name == name
            assert not any(step.found for step in resolution.trace if step.step in ("prefix", "search"))


@given(catalogs(), names())
def test_a_listed_model_keeps_its_exact_id(config: Catalog, name: str) -> None:
    resolution = resolve(name, config)
    if isinstance(resolution, Direct):
        assert resolution.targets
        assert len(set(resolution.targets)) == len(resolution.targets)
        for target in resolution.targets:
            entry = config.model(target)
            assert entry is None or entry.id == target.model
            known = config.provider(target.provider)
            assert known is not None
            assert known.name == target.provider


@given(catalogs(), names())
def test_spelling_decides_nothing_but_what_an_unlisted_id_looks_like(config: Catalog, name: str) -> None:
    def outline(resolution: Resolution) -> object:
        match resolution:
            case Direct(targets=targets, resolved_by=step, virtual=virtual, tags=tags):
                return [normalise(str(target)) for target in targets], step, virtual, tags
            case Ask(router=router, virtual=virtual, tags=tags):
                return router, virtual, tags
            case Unknown():
                return None

    if name.isascii() and normalise(name)[:1] not in ("", ":"):
        assert outline(resolve(f" {name.upper()}:latest", config)) == outline(resolve(name, config))


@given(catalogs(), names(), names())
def test_without_a_default_nothing_is_resolved_by_default(config: Catalog, name: str, verdict: str) -> None:
    bare = Catalog(providers=config.providers, virtuals=config.virtuals)
    assert all(step.step != "default" or not step.found for step in resolve(name, bare).trace)
    asked = resolve(name, config)
    if isinstance(asked, Ask):
        answer = chosen(asked, verdict, config)
        assert not isinstance(answer, Ask), "a verdict ends the asking"
        assert answer == chosen(asked, verdict, Catalog(providers=config.providers, virtuals=config.virtuals))


@given(catalogs(), names())
def test_what_is_listed_resolves_or_leads_to_what_is_gone(config: Catalog, name: str) -> None:
    for listed in config.names():
        assert resolve(listed, config).trace[0].name == listed
    for provider_entry in config.providers:
        for model in provider_entry.models:
            full = f"{provider_entry.name}/{model.id}"
            if config.virtual(full) is None and not any(config.wildcards()):
                assert [str(t) for t in _targets(resolve(full, config))] == [full]


def _targets(resolution: Resolution) -> tuple[object, ...]:
    return resolution.targets if isinstance(resolution, Direct) else ()


def test_the_generated_catalogs_reach_every_step_and_outcome() -> None:
    reached: set[object] = set()

    @settings(max_examples=300)
    @given(catalogs(), names())
    def collect(config: Catalog, name: str) -> None:
        resolution = resolve(name, config)
        reached.add(type(resolution))
        reached.update(step.step for step in resolution.trace if step.found)

    collect()
    assert reached >= {Direct, Ask, Unknown, *ORDER}
