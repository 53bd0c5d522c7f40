"""OpenRouter's reasoning details: read, kept as a seal, and given back as they came."""

import json
from typing import Any

from relay.adapters.dialects.openai_chat import DIALECT, norm, norm_request
from relay.domain.chat import Message, Text, Thinking
from relay.domain.events import ChatResponse
from relay.domain.folding import fold, unfold
from tests.unit.dialects.openai_chat.talk import a_scene

DETAILS: list[dict[str, Any]] = [
    {
        "type": "reasoning.text",
        "text": "Let me think.",
        "signature": "c2ln",
        "format": "anthropic-claude-v1",
        "index": 0,
    },
    {
        "type": "reasoning.encrypted",
        "data": "b3BhcXVl",
        "id": "rs_1",
        "format": "openai-responses-v1",
        "index": 1,
    },
]


def whole(**message: Any) -> bytes:
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "ok", **message},
    }
    return json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode()


def streamed(*deltas: dict[str, Any]) -> bytes:
    chunks = [{"id": "1", "model": "m", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"id": "1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


def read(data: bytes) -> ChatResponse:
    decoder = DIALECT.decoder()
    return fold([*decoder.feed(data), *decoder.close()])


def thought(response: ChatResponse) -> Thinking:
    [thinking] = [part for part in response.choices[0].parts if isinstance(part, Thinking)]
    return thinking


def test_the_details_of_a_whole_answer_are_its_seal() -> None:
    answer = DIALECT.decode_response(whole(reasoning="Let me think.", reasoning_details=DETAILS))
    assert thought(answer).text == "Let me think."
    assert thought(answer).origin == "openai.chat"
    assert json.loads(thought(answer).sealed) == DETAILS


def test_pieces_of_a_stream_come_to_the_same_details() -> None:
    first = {**DETAILS[0], "text": "Let me ", "signature": None}
    pieces = [
        {"reasoning": "Let me ", "reasoning_details": [first]},
        {"reasoning": "think.", "reasoning_details": [{**DETAILS[0], "text": "think.", "signature": ""}]},
        {"content": "", "reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "c2ln"}]},
        {"content": "ok", "reasoning_details": [DETAILS[1]]},
    ]
    answer = read(streamed(*pieces))
    assert (
        answer.choices
        == DIALECT.decode_response(whole(reasoning="Let me think.", reasoning_details=DETAILS)).choices
    )


def test_details_that_seal_nothing_are_no_seal() -> None:
    told = [{"type": "reasoning.summary", "summary": "Thought.", "index": 0}]
    answer = DIALECT.decode_response(whole(reasoning_details=told))
    assert thought(answer) == Thinking(text="Thought.", origin="openai.chat")
    assert DIALECT.decode_response(DIALECT.encode_response(answer, a_scene())).choices == norm(answer).choices


def test_encrypted_details_alone_are_a_thought_without_words() -> None:
    for answer in (
        DIALECT.decode_response(whole(reasoning_details=DETAILS[1:])),
        read(streamed({"content": "ok", "reasoning_details": DETAILS[1:]})),
    ):
        assert thought(answer).text == ""
        assert json.loads(thought(answer).sealed) == DETAILS[1:]


def test_a_client_of_the_dialect_gets_them_streamed_and_whole() -> None:
    answer = DIALECT.decode_response(whole(reasoning="Let me think.", reasoning_details=DETAILS))
    scene = a_scene()
    body = json.loads(DIALECT.encode_response(answer, scene))
    assert body["choices"][0]["message"]["reasoning_details"] == DETAILS
    encoder = DIALECT.encoder(scene)
    data = b"".join(encoder.send(event) for event in unfold(answer)) + encoder.close()
    assert read(data).choices == norm(answer).choices
    assert thought(read(data)).sealed == thought(answer).sealed


def test_a_client_that_sends_them_back_has_them_sent_on() -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "ok", "reasoning_details": DETAILS},
            {"role": "user", "content": "more"},
        ],
    }
    request = DIALECT.decode_request(json.dumps(body).encode())
    sent = json.loads(DIALECT.encode_request(request).body)
    assert sent["messages"][1]["reasoning_details"] == DETAILS
    assert sent["messages"][1]["reasoning_content"] == "Let me think."
    assert DIALECT.encode_request(request).losses == ()
    assert norm_request(request) == norm_request(norm_request(request))


def test_a_seal_of_another_dialect_is_not_sent_and_its_loss_told() -> None:
    foreign = Thinking(text="hm", sealed="b3BhcXVl", origin="openai.responses")
    hello = DIALECT.decode_request(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    turn = Message(role="assistant", parts=(foreign, Text(text="ok")))
    wire = DIALECT.encode_request(type(hello)(model="m", messages=(*hello.messages, turn)))
    assert "reasoning_details" not in json.loads(wire.body)["messages"][1]
    assert wire.losses == ("thinking.signature",)


def test_details_of_odd_shapes_are_taken_as_not_sent() -> None:
    odds: tuple[object, ...] = (None, {}, "x", [], [1, None], [{"index": "0"}], [{"index": 0, "data": 7}])
    for odd in odds:
        answer = DIALECT.decode_response(whole(reasoning_details=odd))
        assert [part for part in answer.choices[0].parts if isinstance(part, Text)] == [Text(text="ok")]


def test_many_pieces_cost_no_more_than_their_number() -> None:
    deltas = [
        {"reasoning_details": [{"type": "reasoning.text", "index": n, "text": "x"}]} for n in range(3000)
    ]
    assert thought(read(streamed(*deltas, {"content": "ok"}))).text == "x" * 3000
