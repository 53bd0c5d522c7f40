"""What was thought before tools were called is gathered from an answer, and put back where it belongs."""

from collections.abc import Mapping

from hypothesis import given

from relay.domain.catalog import Target
from relay.domain.chat import ChatRequest, Message, Part, Text, Thinking, ToolCall, ToolResult
from relay.domain.events import ChatResponse, PartDelta, PartStarted, SignatureDelta
from relay.domain.folding import unfold
from relay.domain.thoughts import Thoughts, ThoughtsGathered, keys_of, with_thoughts
from tests.support.strategies.answers import responses

CLAUDE = Target(provider="anthropic", model="claude-5")
OTHER = Target(provider="anthropic", model="claude-4")

SEALED = Thinking(text="Hm.", signature="c2VhbA==", origin="anthropic.messages")
CALL = ToolCall(id="call_1", name="look", arguments="{}")
RESULT = Message(role="tool", parts=(ToolResult(call_id="call_1", name="look", parts=(Text(text="seen"),)),))
KEPT = {"call_1": Thoughts(target=CLAUDE, thinking=(SEALED,))}


def gathered(*events: PartStarted | PartDelta | SignatureDelta) -> ThoughtsGathered:
    found = ThoughtsGathered()
    for event in events:
        found.take(event)
    return found


THINKING = (
    PartStarted(index=0, kind="thinking", origin="anthropic.messages"),
    PartDelta(index=0, text="H"),
    PartDelta(index=0, text="m."),
    SignatureDelta(index=0, text="c2VhbA=="),
)


def asked(*parts: Part) -> ChatRequest:
    turn = Message(role="assistant", parts=parts)
    return ChatRequest(model="m", messages=(Message(role="user", parts=(Text(text="hi"),)), turn, RESULT))


def reminded(
    request: ChatRequest, kept: Mapping[str, Thoughts] = KEPT, target: Target = CLAUDE
) -> tuple[Part, ...]:
    return with_thoughts(request, kept.get, target).messages[1].parts


def test_thinking_is_kept_by_the_id_of_each_call_and_by_what_it_asks_for() -> None:
    calls = (
        PartStarted(index=1, kind="text"),
        PartDelta(index=1, text="Looking."),
        PartStarted(index=2, kind="tool_call", call_id="call_1", name="look"),
        PartDelta(index=2, text="{}"),
        PartStarted(index=3, kind="tool_call", call_id="call_2", name="look"),
        SignatureDelta(index=2, text="Z2VtaW5p"),
    )
    kept = gathered(*THINKING, *calls).of(CLAUDE)
    assert {"call_1", "call_2", *keys_of(CALL)} == set(kept)
    assert kept["call_1"].thinking == (SEALED,)
    assert kept["call_1"].signatures["call_1"] == "Z2VtaW5p"


def test_an_answer_without_calls_or_without_thoughts_is_not_kept() -> None:
    call = PartStarted(index=1, kind="tool_call", call_id="call_1", name="look")
    assert gathered(*THINKING).of(CLAUDE) == {}
    assert gathered(call).of(CLAUDE) == {}


@given(responses(max_choices=2))
def test_what_is_gathered_of_any_answer_is_what_it_says(response: ChatResponse) -> None:
    found = ThoughtsGathered()
    for event in unfold(response):
        found.take(event)
    parts = response.choices[0].parts
    thinking = tuple(part for part in parts if isinstance(part, Thinking))
    for thoughts in found.of(CLAUDE).values():
        assert thoughts.thinking == thinking


def test_a_turn_that_lost_its_thoughts_gets_them_back_in_front() -> None:
    text = Text(text="Looking.")
    assert reminded(asked(text, CALL)) == (SEALED, text, CALL)


def test_thoughts_without_their_seal_are_replaced() -> None:
    assert reminded(asked(Thinking(text="Hm."), CALL)) == (SEALED, CALL)


def test_a_turn_with_a_seal_of_its_own_stays_as_it_is() -> None:
    own = Thinking(text="", sealed="b3du", origin="openai.responses")
    assert reminded(asked(own, CALL)) == (own, CALL)


def test_another_model_is_told_nothing() -> None:
    assert reminded(asked(CALL), target=OTHER) == (CALL,)


def test_signatures_go_back_to_their_calls() -> None:
    kept = {"call_1": Thoughts(target=CLAUDE, signatures={"call_1": "Z2VtaW5p"})}
    thought = Thinking(text="Mine.")
    (mine, call) = reminded(asked(thought, CALL), kept)
    assert mine == thought
    assert isinstance(call, ToolCall)
    assert call.signature == "Z2VtaW5p"


def test_a_request_of_which_nothing_is_known_is_the_same_object() -> None:
    request = asked(CALL)
    assert with_thoughts(request, lambda call_id: None, CLAUDE) is request


def test_a_call_whose_id_was_dropped_is_found_by_its_tool_and_arguments() -> None:
    spelled = ToolCall(id="", name="look", arguments='{"b": 2, "a": 1}')
    [key] = keys_of(spelled)
    kept = {key: Thoughts(target=CLAUDE, thinking=(SEALED,))}
    other = ToolCall(id="made_up", name="look", arguments='{"a":1,"b":2}')
    assert reminded(asked(other), kept) == (SEALED, other)
    assert reminded(asked(ToolCall(id="x", name="look", arguments="{}")), kept)[0] != SEALED
