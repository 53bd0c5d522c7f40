"""Which models count as loaded: for whom, from when, until when, and how many at most."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from relay.application.calls import Caller
from relay.application.list_models import ListModels
from relay.application.loaded_models import FOREVER_S, LoadedModels
from relay.domain.catalog import Alias, Catalog
from relay.domain.keys import KeyRecord
from tests.support.builders import catalog, provider

ANYBODY = Caller()


@dataclass
class HandClock:
    """A clock that is turned by hand."""

    ms: int = 1_000_000

    def unix_ms(self) -> int:
        return self.ms

    def unix_ns(self) -> int:
        return self.ms * 1_000_000

    def monotonic(self) -> float:
        return self.ms / 1000


@dataclass
class Answer:
    """An answer that has begun, or not."""

    begun: bool = False


@dataclass
class ChangingCatalog:
    """A source whose snapshot a test may replace."""

    catalog: Catalog

    def current(self) -> Catalog:
        return self.catalog


class Table:
    """The table over a small catalog, with short words for what tests do to it."""

    def __init__(self, max_kept: int = 1000) -> None:
        self.clock = HandClock()
        self.source = ChangingCatalog(
            catalog(provider("up", "basic", "plain", "me/ns:v1"), Alias(name="sonnet", target="up/basic"))
        )
        self.models = LoadedModels(
            list_models=ListModels(catalog=self.source), clock=self.clock, max_kept=max_kept
        )

    def used(self, name: str, keep_s: float | None = None, caller: Caller = ANYBODY) -> None:
        """A whole call that was answered."""
        with self.models.using(name, caller, keep_s, Answer(begun=True)):
            pass

    def running(self, name: str, answer: Answer, keep_s: float | None = None) -> AbstractContextManager[None]:
        return self.models.using(name, ANYBODY, keep_s, answer)

    def left(self, caller: Caller = ANYBODY) -> dict[str, float]:
        """The seconds each loaded model has left."""
        now = self.clock.ms
        return {model.card.name: (model.expires_ms - now) / 1000 for model in self.models(caller)}


def key(name: str, *models: str) -> Caller:
    return Caller(key=KeyRecord(public_id=name, name=name, digest=b"", models=models))


def test_nothing_is_loaded_at_first() -> None:
    assert Table().left() == {}


def test_a_model_that_has_answered_is_kept_for_five_minutes() -> None:
    table = Table()
    table.used("up/basic")
    assert table.left() == {"up/basic": 300}
    table.clock.ms += 299_999
    assert list(table.left()) == ["up/basic"]
    table.clock.ms += 1
    assert table.left() == {}


@pytest.mark.parametrize(("keep_s", "left"), [(600.0, 600), (0.5, 0.5), (-1.0, FOREVER_S), (1e30, FOREVER_S)])
def test_a_model_is_kept_for_as_long_as_its_caller_asks(keep_s: float, left: float) -> None:
    table = Table()
    table.used("up/basic", keep_s)
    assert table.left() == {"up/basic": pytest.approx(left)}


@pytest.mark.parametrize("nothing", [0.0, -0.0])
def test_exactly_nothing_unloads(nothing: float) -> None:
    table = Table()
    table.used("up/basic")
    table.used("up/plain")
    table.used("up/basic", nothing)
    assert list(table.left()) == ["up/plain"]


def test_the_last_call_says_how_long() -> None:
    table = Table()
    table.used("up/basic", -1)
    table.used("up/basic", 10)
    assert table.left() == {"up/basic": 10}


def test_a_model_is_loaded_from_the_first_byte_of_its_answer_on() -> None:
    table, answer = Table(), Answer()
    with table.running("up/basic", answer, keep_s=60):
        assert table.left() == {}
        answer.begun = True
        table.clock.ms += 100_000
        assert table.left() == {"up/basic": 60}
    table.clock.ms += 20_000
    assert table.left() == {"up/basic": 40}


def test_a_running_answer_does_not_shorten_what_another_call_asked_for() -> None:
    table = Table()
    table.used("up/basic", 600)
    with table.running("up/basic", Answer(begun=True), keep_s=60):
        assert table.left() == {"up/basic": 600}


def test_a_model_to_be_unloaded_after_its_answer_is_gone_before_the_answer_ends() -> None:
    """Whoever reads the end of the answer and then looks must not find it."""
    table = Table()
    table.used("up/basic")
    with table.running("up/basic", Answer(begun=True), keep_s=0):
        assert table.left() == {}
    assert table.left() == {}


def test_a_call_that_was_never_answered_loads_nothing() -> None:
    table = Table()
    with pytest.raises(RuntimeError), table.running("up/basic", Answer()):
        raise RuntimeError
    assert table.left() == {}


def test_an_answer_that_broke_has_loaded_its_model() -> None:
    table = Table()
    with pytest.raises(RuntimeError), table.running("up/basic", Answer(begun=True)):
        raise RuntimeError
    assert table.left() == {"up/basic": 300}


def test_one_model_is_one_entry_however_it_is_spelled_and_whoever_it_is_charged_to() -> None:
    table = Table()
    for name in ("up/basic", "UP/Basic:latest", "up/basic@alice", "up/basic:latest@team:web,x"):
        table.used(name, 10)
        assert table.left() == {"up/basic": 10}
    table.used("up/BASIC@bob", 0)
    assert table.left() == {}


def test_a_name_is_shown_as_the_client_knows_it() -> None:
    table = Table()
    for name in ("sonnet", "basic", "ME/ns:v1"):
        table.used(name)
    assert sorted(table.left()) == ["basic", "me/ns:v1", "sonnet"]


def test_the_longest_kept_comes_first() -> None:
    table = Table()
    table.used("up/basic", 10)
    table.used("up/plain", -1)
    table.used("sonnet", 100)
    assert list(table.left()) == ["up/plain", "sonnet", "up/basic"]


def test_each_key_sees_and_unloads_its_own() -> None:
    table, web, lab = Table(), key("web"), key("lab")
    table.used("up/basic", 10, web)
    table.used("up/plain", 20, lab)
    table.used("sonnet", 30)
    assert (table.left(web), table.left(lab), table.left()) == (
        {"up/basic": 10},
        {"up/plain": 20},
        {"sonnet": 30},
    )
    table.used("up/basic", 0, lab)
    assert table.left(web) == {"up/basic": 10}


def test_what_the_key_no_longer_reaches_is_not_shown() -> None:
    table = Table()
    table.used("up/basic", 10, key("web"))
    assert table.left(key("web", "up/plain")) == {}


def test_what_has_left_the_catalog_is_not_shown() -> None:
    table = Table()
    table.used("sonnet")
    table.used("up/plain")
    table.source.catalog = catalog(provider("up", "plain"))
    assert list(table.left()) == ["up/plain"]


def test_the_table_is_bounded_and_forgets_what_would_expire_first() -> None:
    table = Table(max_kept=2)
    table.used("up/basic", 10)
    table.used("up/plain", 20)
    table.used("up/basic", 30)
    assert len(table.left()) == 2
    table.used("sonnet", 5)
    assert list(table.left()) == ["up/basic", "sonnet"]


def test_what_has_expired_makes_room_first() -> None:
    table = Table(max_kept=2)
    table.used("up/basic", 1)
    table.used("up/plain", 20)
    table.clock.ms += 2000
    table.used("sonnet", 5)
    assert list(table.left()) == ["up/plain", "sonnet"]
