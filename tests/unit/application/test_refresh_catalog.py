"""The catalog: served at once, refreshed in the background, never held up by one provider."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from relay.application.refresh_catalog import ListedProvider, RefreshCatalog, RefreshTimes
from relay.domain.catalog import Alias, Catalog, ModelEntry, ProviderEntry
from relay.domain.errors import Limited, Unreachable
from tests.support.fakes_chat import TickingClock

pytestmark = pytest.mark.anyio

QUICK = RefreshTimes(interval_s=0.05, retry_s=0.02, max_retry_s=0.08)


@dataclass
class ScriptedLister:
    """Gives its answers in turn, the last one ever after; a number is a wait before the next."""

    answers: list[Sequence[str] | Exception | float]
    asked_at: list[float] = field(default_factory=list)

    async def list_models(self) -> Sequence[ModelEntry]:
        self.asked_at.append(anyio.current_time())
        await anyio.lowlevel.checkpoint()
        while isinstance(answer := self._next(), float):
            await anyio.sleep(answer)
        if isinstance(answer, Exception):
            raise answer
        return [ModelEntry(id=name) for name in answer]

    def _next(self) -> Sequence[str] | Exception | float:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def provider(name: str, lister: ScriptedLister | None = None, **more: object) -> ListedProvider:
    return ListedProvider(name=name, kind="openai", lister=lister, **more)  # type: ignore[arg-type]


def refreshing(*providers: ListedProvider, times: RefreshTimes = QUICK) -> RefreshCatalog:
    return RefreshCatalog(providers, clock=TickingClock(), times=times)


@asynccontextmanager
async def running(refresh: RefreshCatalog) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refresh.run)
        yield
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool], timeout_s: float = 2.0) -> None:
    with anyio.fail_after(timeout_s):
        while not condition():
            await anyio.sleep(0.002)


def entry(refresh: RefreshCatalog, name: str) -> ProviderEntry:
    found = refresh.current().provider(name)
    assert found is not None
    return found


def ids(refresh: RefreshCatalog, name: str) -> list[str]:
    return [model.id for model in entry(refresh, name).models]


async def test_configured_models_virtuals_and_problems_are_there_at_once() -> None:
    refresh = RefreshCatalog(
        [provider("a", models=(ModelEntry(id="gpt-5"),)), provider("b", problem="no key: set B")],
        [Alias(name="fast", target="a/gpt-5")],
        "a/gpt-5",
        clock=TickingClock(),
    )
    catalog = refresh.current()
    assert ids(refresh, "a") == ["gpt-5"]
    assert entry(refresh, "b").problem == "no key: set B"
    assert catalog.virtual("fast") == Alias(name="fast", target="a/gpt-5")
    assert catalog.default_model == "a/gpt-5"


async def test_models_are_listed_as_soon_as_it_runs_and_again_after_the_interval() -> None:
    lister = ScriptedLister([["one"], ["one", "two"]])
    refresh = refreshing(provider("a", lister))
    async with running(refresh):
        await until(lambda: ids(refresh, "a") == ["one"])
        before = refresh.current()
        await until(lambda: ids(refresh, "a") == ["one", "two"])
    assert lister.asked_at[1] - lister.asked_at[0] >= 0.05
    assert entry(refresh, "a").discovered_at == 1_800_000_000
    assert [model.id for model in before.providers[0].models] == ["one"]
    assert refresh.current().version > before.version


async def test_providers_stay_in_configured_order_whoever_answers_first() -> None:
    slow, quick = ScriptedLister([0.05, ["m"]]), ScriptedLister([["m"]])
    refresh = refreshing(provider("slow", slow), provider("quick", quick))
    async with running(refresh):
        await until(lambda: bool(ids(refresh, "slow")))
    assert [target.provider for target in refresh.current().offered("m")] == ["slow", "quick"]


async def test_a_provider_that_hangs_delays_no_other() -> None:
    refresh = refreshing(provider("hangs", ScriptedLister([60.0])), provider("a", ScriptedLister([["m"]])))
    async with running(refresh):
        await until(lambda: ids(refresh, "a") == ["m"], 0.5)
    assert ids(refresh, "hangs") == []


async def test_a_failure_keeps_the_last_good_list_and_tells_the_problem() -> None:
    lister = ScriptedLister([["m"], Unreachable("cannot be reached"), ["m", "n"]])
    refresh = refreshing(provider("a", lister))
    async with running(refresh):
        await until(lambda: entry(refresh, "a").problem == "cannot be reached")
        assert ids(refresh, "a") == ["m"]
        assert entry(refresh, "a").discovered_at == 1_800_000_000
        await until(lambda: ids(refresh, "a") == ["m", "n"])
        assert entry(refresh, "a").problem == ""


async def test_failures_are_retried_at_growing_intervals_up_to_the_longest() -> None:
    lister = ScriptedLister([Limited("slow down")])
    refresh = refreshing(provider("a", lister))
    async with running(refresh):
        await until(lambda: len(lister.asked_at) == 6)
    waits = [later - sooner for sooner, later in zip(lister.asked_at, lister.asked_at[1:], strict=False)]
    for wait, expected in zip(waits, [0.02, 0.04, 0.08, 0.08, 0.08], strict=True):
        assert wait >= expected
    assert waits[-1] < 0.3  # and not 0.32, the next but one in the row


async def test_a_list_that_breaks_its_reader_ends_neither_the_task_nor_the_others() -> None:
    broken = ScriptedLister([KeyError("what the provider sent"), ["m"]])
    refresh = refreshing(provider("a", broken), provider("b", ScriptedLister([["n"]])))
    async with running(refresh):
        await until(lambda: entry(refresh, "a").problem != "")
        assert entry(refresh, "a").problem == "its list of models cannot be read (KeyError)"
        await until(lambda: ids(refresh, "a") == ["m"] and ids(refresh, "b") == ["n"])


async def test_a_provider_without_a_lister_is_never_asked_and_keeps_its_problem() -> None:
    refresh = refreshing(provider("a", problem="no key: set A"))
    async with running(refresh):
        await anyio.sleep(0.05)
    assert entry(refresh, "a").problem == "no key: set A"


async def test_it_ends_cleanly_when_cancelled_in_the_middle_of_a_listing() -> None:
    refresh = refreshing(provider("a", ScriptedLister([60.0])))
    with anyio.move_on_after(0.05) as scope:
        await refresh.run()
    assert scope.cancelled_caught


async def test_without_any_provider_it_waits_for_some() -> None:
    refresh = refreshing()
    async with running(refresh):
        await anyio.sleep(0.02)
        refresh.replace_config([provider("a", ScriptedLister([["m"]]))], [], None)
        await until(lambda: ids(refresh, "a") == ["m"])


async def test_a_new_configuration_is_in_force_at_once() -> None:
    refresh = refreshing(provider("a", models=(ModelEntry(id="m"),)))
    before: Catalog = refresh.current()
    refresh.replace_config(
        [provider("b", models=(ModelEntry(id="n"),))], [Alias(name="x", target="b/n")], "b/n"
    )
    after = refresh.current()
    assert after.provider("a") is None
    assert after.offered("n")
    assert after.virtual("x") is not None
    assert after.default_model == "b/n"
    assert after.version > before.version
    assert before.provider("a") is not None


async def test_an_unchanged_provider_keeps_its_list_and_its_turn_over_a_reload() -> None:
    lister = ScriptedLister([["m"]])
    refresh = refreshing(provider("a", lister, source="same"), times=RefreshTimes())
    async with running(refresh):
        await until(lambda: ids(refresh, "a") == ["m"])
        again = ScriptedLister([["other"]])
        refresh.replace_config([provider("a", again, source="same")], [], None)
        assert ids(refresh, "a") == ["m"]
        await anyio.sleep(0.05)
    assert ids(refresh, "a") == ["m"]
    assert again.asked_at == []


async def test_a_changed_provider_starts_from_nothing_and_is_asked_at_once() -> None:
    refresh = refreshing(provider("a", ScriptedLister([["m"]]), source="old"), times=RefreshTimes())
    async with running(refresh):
        await until(lambda: ids(refresh, "a") == ["m"])
        refresh.replace_config([provider("a", ScriptedLister([["n"]]), source="new")], [], None)
        assert ids(refresh, "a") == []
        await until(lambda: ids(refresh, "a") == ["n"])


async def test_a_reload_in_the_middle_of_a_listing_is_not_overwritten_by_it() -> None:
    refresh = refreshing(provider("a", ScriptedLister([0.05, ["late"]]), source="old"))
    async with running(refresh):
        await anyio.sleep(0.02)
        refresh.replace_config([provider("a", models=(ModelEntry(id="static"),), source="new")], [], None)
        await anyio.sleep(0.1)
    assert ids(refresh, "a") == ["static"]


async def test_a_provider_that_is_wanted_is_asked_at_once_and_no_other() -> None:
    wanted, other = ScriptedLister([["old"], ["new"]]), ScriptedLister([["other"]])
    refresh = refreshing(provider("a", wanted), provider("b", other), times=RefreshTimes())
    async with running(refresh):
        await until(lambda: ids(refresh, "a") == ["old"] and ids(refresh, "b") == ["other"])
        refresh.refresh("a")
        refresh.refresh("nobody")
        await until(lambda: ids(refresh, "a") == ["new"])
        assert (len(wanted.asked_at), len(other.asked_at)) == (2, 1)


async def test_a_provider_that_is_wanted_while_it_is_asked_is_asked_once_more() -> None:
    lister = ScriptedLister([0.05, ["old"], ["new"]])
    refresh = refreshing(provider("a", lister), times=RefreshTimes())
    async with running(refresh):
        await until(lambda: len(lister.asked_at) == 1)
        refresh.refresh("a")
        await until(lambda: ids(refresh, "a") == ["new"])
        assert len(lister.asked_at) == 2
