"""Conversations of other dialects, put the way this one wants them."""

import time

from relay.adapters.dialects.openai_chat.arranging import IMAGE_NOTE, arranged
from relay.domain.chat import Image, Message, Part, Text, ToolCall, ToolResult

PNG = Image(data="iVBORw0KGgo=", media_type="image/png")


def called(*calls: tuple[str, str]) -> Message:
    return Message(
        role="assistant", parts=tuple(ToolCall(id=id_, name=name, arguments="{}") for id_, name in calls)
    )


def answered(text: str, *, call_id: str = "", name: str = "") -> Message:
    return Message(role="tool", parts=(result(text, call_id=call_id, name=name),))


def result(text: str, *, call_id: str = "", name: str = "", image: Image | None = None) -> ToolResult:
    parts: tuple[Text | Image, ...] = (Text(text=text),) if text else ()
    return ToolResult(call_id=call_id, name=name, parts=(*parts, image) if image else parts)


def ids_of(messages: tuple[Message, ...]) -> tuple[list[str], dict[str, str]]:
    """The ids of the calls, and which id each result's text answers."""
    parts: list[Part] = [part for message in messages for part in message.parts]
    results = [part for part in parts if isinstance(part, ToolResult)]
    texts = {
        "".join(inner.text for inner in one.parts if isinstance(inner, Text)): one.call_id for one in results
    }
    return [part.id for part in parts if isinstance(part, ToolCall)], texts


def test_a_result_without_an_id_is_bound_by_the_tools_name() -> None:
    messages = arranged(
        (called(("a", "f"), ("b", "g")), answered("of g", name="g"), answered("of f", name="f"))
    )
    assert ids_of(messages) == (["a", "b"], {"of g": "b", "of f": "a"})


def test_results_without_id_and_name_are_bound_in_order() -> None:
    messages = arranged((called(("a", "f"), ("b", "f")), answered("first"), answered("second")))
    assert ids_of(messages) == (["a", "b"], {"first": "a", "second": "b"})


def test_two_calls_of_one_tool_are_answered_in_order() -> None:
    messages = arranged((called(("", "f"), ("", "f")), answered("x", name="f"), answered("y", name="f")))
    calls, results = ids_of(messages)
    assert results == {"x": calls[0], "y": calls[1]}
    assert len(set(calls)) == 2


def test_the_latest_turn_is_answered_first() -> None:
    messages = arranged((called(("a", "f")), called(("b", "f")), answered("x")))
    assert ids_of(messages)[1] == {"x": "b"}


def test_made_up_ids_do_not_change_when_the_conversation_goes_on() -> None:
    start = (called(("", "f")), answered("x"))
    longer = arranged((*start, called(("", "g"), ("b", "h")), answered("y")))
    assert longer[:2] == arranged(start)
    assert len(set(ids_of(longer)[0])) == 3


def test_a_made_up_id_keeps_clear_of_the_clients_own() -> None:
    calls, _ = ids_of(arranged((called(("", "f"), ("call_1", "g")),)))
    assert calls[1] == "call_1"
    assert calls[0] != "call_1"


def test_ids_that_restart_each_turn_are_told_apart() -> None:
    turn = (called(("call_0", "f")),)
    messages = arranged((*turn, answered("x", call_id="call_0"), *turn, answered("y", call_id="call_0")))
    assert ids_of(messages) == (["call_0", "call_0_2"], {"x": "call_0", "y": "call_0_2"})


def test_a_long_id_is_shortened_on_call_and_result_alike() -> None:
    long = "x" * 90
    messages = arranged((called((long, "f"), (long[:-1] + "y", "f")), answered("r", call_id=long)))
    calls, results = ids_of(messages)
    assert [len(id_) for id_ in calls] == [64, 64]
    assert calls[0] != calls[1]
    assert results == {"r": calls[0]}


def test_an_id_claims_its_call_before_a_result_that_has_none() -> None:
    messages = arranged((called(("a", "f"), ("b", "f")), answered("x"), answered("y", call_id="a")))
    assert ids_of(messages)[1] == {"x": "b", "y": "a"}


def test_an_id_that_only_the_result_has_says_nothing() -> None:
    messages = arranged((called(("", "f")), answered("x", call_id="lost")))
    calls, results = ids_of(messages)
    assert results == {"x": calls[0]}


def test_two_results_for_one_id_go_to_the_same_call() -> None:
    messages = arranged((called(("a", "f")), answered("x", call_id="a"), answered("y", call_id="a")))
    assert ids_of(messages)[1] == {"x": "a", "y": "a"}


def seconds_to_arrange(count: int) -> float:
    """The least of three tries; the conversation is as awkward as it can be."""
    calls = called(*[(id_, "f") for n in range(count) for id_ in ("", "same", f"call_{n}")])
    results = [answered("x", call_id=id_) for _ in range(count) for id_ in ("", "same", "lost")]
    tries = []
    for _ in range(3):
        started = time.process_time()
        arranged((calls, *results))
        tries.append(time.process_time() - started)
    return min(tries)


def test_the_work_grows_with_the_conversation_and_not_with_its_square() -> None:
    assert seconds_to_arrange(4000) < 10 * seconds_to_arrange(1000), "its square would be 16 times"


def test_a_result_of_no_known_call_keeps_its_id_or_gets_one() -> None:
    messages = arranged((answered("x", call_id="lost"), answered("y")))
    _, results = ids_of(messages)
    assert results["x"] == "lost"
    assert results["y"]


def test_images_follow_in_a_user_message_after_the_run_of_results() -> None:
    both = Message(
        role="user",
        parts=(result("a", call_id="1", image=PNG), result("", call_id="2", image=PNG), Text(text="so?")),
    )
    messages = arranged((called(("1", "f"), ("2", "g")), both))
    assert [message.role for message in messages] == ["assistant", "tool", "tool", "user", "user"]
    assert messages[1].parts == (ToolResult(call_id="1", name="f", parts=(Text(text="a"),)),)
    assert messages[2].parts == (ToolResult(call_id="2", name="g", parts=(Text(text=IMAGE_NOTE),)),)
    assert messages[3].parts == (PNG, PNG)
    assert messages[4].parts == (Text(text="so?"),)


def test_arranging_twice_changes_nothing_more() -> None:
    messages = arranged((called(("", "f"), ("x" * 80, "g")), answered("a", name="g"), answered("b")))
    assert arranged(messages) == messages
