"""What is kept in memory is bounded by number, bytes and age, and each caller's for itself."""

from dataclasses import dataclass

from relay.adapters.outbound.memory.responses import InMemoryResponses
from relay.adapters.outbound.memory.thoughts import InMemoryThoughts
from relay.application.calls import Caller
from relay.application.kept_responses import KeptResponse, owner_of
from relay.application.thinking_memory import ThinkingMemory
from relay.domain.catalog import Target
from relay.domain.chat import ChatRequest, Message, Text, Thinking, ToolCall
from relay.domain.events import PartDelta, PartStarted
from relay.domain.thoughts import Thoughts, ThoughtsGathered

TARGET = Target(provider="p", model="m")


@dataclass
class HandClock:
    """Stands still until it is moved."""

    now_s: float = 0.0

    def unix_ms(self) -> int:
        return 0

    def unix_ns(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.now_s


def kept(response_id: str, owner: str = "", size: int = 10) -> KeptResponse:
    return KeptResponse(
        id=response_id,
        owner=owner,
        json=b"{}",
        input=[(f"in_{response_id}", b"x" * size)],
        output=[(f"out_{response_id}", b"y")],
    )


def test_an_answer_is_found_by_its_id_and_its_items_by_theirs() -> None:
    store = InMemoryResponses(clock=HandClock())
    store.keep(kept("a"))
    found = store.find("a", "")
    assert found is not None
    assert found.history == [b"x" * 10, b"y"]
    assert store.find_item("out_a", "") == b"y"
    assert store.find_item("in_a", "") is None, "what the client has sent it can send again"
    assert store.drop("a", "")
    assert not store.drop("a", "")
    assert (store.find("a", ""), store.find_item("out_a", "")) == (None, None)


def test_an_answer_of_another_is_not_found() -> None:
    store = InMemoryResponses(clock=HandClock())
    store.keep(kept("a", "mine"))
    assert store.find("a", "theirs") is None
    assert store.find_item("out_a", "theirs") is None
    assert not store.drop("a", "theirs")
    assert store.find("a", "mine") is not None


def test_a_memory_that_is_switched_off_keeps_nothing() -> None:
    store = InMemoryResponses(clock=HandClock(), max_responses=0)
    store.keep(kept("a"))
    assert (store.find("a", ""), store.find_item("out_a", "")) == (None, None)


def test_the_oldest_answers_make_room() -> None:
    store = InMemoryResponses(clock=HandClock(), max_responses=2)
    for name in "abc":
        store.keep(kept(name))
    assert [store.find(name, "") is not None for name in "abc"] == [False, True, True]
    assert store.find_item("out_a", "") is None


def test_answers_are_bounded_by_their_bytes() -> None:
    store = InMemoryResponses(clock=HandClock(), max_bytes=1000)
    store.keep(kept("huge", size=300))
    assert store.find("huge", "") is None
    for name in "abcdefgh":
        store.keep(kept(name, size=150))
    held = [response for name in "abcdefgh" if (response := store.find(name, "")) is not None]
    assert 0 < sum(response.size_bytes for response in held) <= 1000


def test_an_answer_that_is_kept_again_takes_its_own_place() -> None:
    store = InMemoryResponses(clock=HandClock(), max_bytes=1000)
    for _ in range(20):
        store.keep(kept("a", size=100))
    store.keep(kept("b", size=100))
    assert store.find("a", "") is not None


def test_what_is_old_is_forgotten() -> None:
    clock = HandClock()
    store = InMemoryResponses(clock=clock, ttl_s=60)
    store.keep(kept("a"))
    clock.now_s = 61
    assert store.find("a", "") is None


def thoughts(text: str = "Hm.") -> Thoughts:
    return Thoughts(target=TARGET, thinking=(Thinking(text=text),))


def test_thoughts_are_bounded_too() -> None:
    clock = HandClock()
    store = InMemoryThoughts(clock=clock, max_calls=2, max_bytes=1000, ttl_s=60)
    for call in "abc":
        store.keep("", call, thoughts())
    assert [store.find("", call) is not None for call in "abc"] == [False, True, True]
    store.keep("", "huge", thoughts("x" * 300))
    assert store.find("", "huge") is None
    clock.now_s = 61
    assert store.find("", "c") is None
    for call in "abcdefgh":
        store.keep("", call, thoughts("x" * 240))
    assert store.find("", "h") is not None


def test_a_turn_that_called_tools_is_reminded_of_its_thoughts() -> None:
    memory = ThinkingMemory(store=InMemoryThoughts(clock=HandClock()))
    gathered = ThoughtsGathered()
    for event in (
        PartStarted(index=0, kind="thinking"),
        PartDelta(index=0, text="Hm."),
        PartStarted(index=1, kind="tool_call", call_id="call_1", name="look"),
    ):
        gathered.take(event)
    memory.remember(Caller(), TARGET, gathered)
    call = ToolCall(id="call_1", name="look", arguments="{}")
    request = ChatRequest(model="m", messages=(Message(role="assistant", parts=(call,)),))
    assert memory.restore(Caller(), TARGET, request).messages[0].parts == (Thinking(text="Hm."), call)
    assert memory.restore(Caller(), Target(provider="p", model="other"), request) is request
    plain = ChatRequest(model="m", messages=(Message(role="user", parts=(Text(text="hi"),)),))
    assert memory.restore(Caller(), TARGET, plain) is plain
    assert owner_of(Caller()) == ""
