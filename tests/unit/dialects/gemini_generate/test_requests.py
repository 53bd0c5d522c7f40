"""Requests to Gemini: conversations put its way, settings by family of models, and what is lost."""

import json
from dataclasses import replace
from typing import Any

import pytest

from relay.adapters.dialects.gemini_generate import DIALECT
from relay.domain.chat import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.errors import InvalidRequest, Unsupported
from tests.unit.dialects.gemini_generate.asking import HI, asked, losses, sent, turn

PNG = "iVBORw0KGgo="
PDF = "JVBERi0="
LOOK = ToolCall(id="c-1", name="look", arguments='{"at":1.50}')


def contents(*messages: Message, model: str = "gemini-3-flash") -> list[tuple[str, list[Any]]]:
    return [(each["role"], each["parts"]) for each in sent(asked(*messages, model=model))["contents"]]


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("gemini-3-flash", False, "/models/gemini-3-flash:generateContent"),
        ("gemini-3-flash", True, "/models/gemini-3-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-3-flash", False, "/models/gemini-3-flash:generateContent"),
        ("../odd?name#", False, "/models/..%2Fodd%3Fname%23:generateContent"),
    ],
)
def test_the_path_says_who_answers_and_whether_it_streams(model: str, stream: bool, path: str) -> None:
    wire = DIALECT.encode_request(replace(asked(), model=model, stream=stream))
    assert wire.path == path
    assert set(json.loads(wire.body)) == {"contents"}


def test_instructions_at_the_beginning_stand_apart_and_later_ones_are_said_by_the_user() -> None:
    body = sent(
        asked(
            turn("system", Text(text="one")),
            turn("developer", Text(text="two"), Text(text="")),
            HI,
            turn("system", Text(text="three")),
        )
    )
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hi"}, {"text": "three"}]}]


def test_instructions_alone_are_what_the_user_says() -> None:
    body = sent(asked(turn("system", Text(text="one"))))
    assert body == {"contents": [{"role": "user", "parts": [{"text": "one"}]}]}


def test_models_without_instructions_are_told_by_the_user() -> None:
    assert contents(turn("system", Text(text="one")), HI, model="gemma-4-31b-it") == [
        ("user", [{"text": "one"}, {"text": "hi"}])
    ]


def test_a_conversation_begins_with_a_user_and_turns_alternate() -> None:
    assert contents(turn("assistant", Text(text="a")), turn("assistant", Text(text="b")), HI, HI) == [
        ("user", [{"text": " "}]),
        ("model", [{"text": "a"}, {"text": "b"}]),
        ("user", [{"text": "hi"}, {"text": "hi"}]),
    ]


def test_results_stand_at_the_beginning_of_the_turn_behind_their_calls() -> None:
    second = replace(LOOK, id="", name="feel", arguments="")
    told = contents(
        HI,
        turn("assistant", LOOK, second),
        turn("user", Text(text="well?"), ToolResult(call_id="", name="feel", parts=())),
        turn("tool", ToolResult(call_id="c-1", name="", parts=(Text(text="no"),), is_error=True)),
    )
    [_, (_, calls), (role, answers)] = told
    assert role == "user"
    assert [part["functionCall"]["args"] for part in calls] == [{"at": 1.5}, {}]
    made = calls[1]["functionCall"]["id"]
    assert answers == [
        {"functionResponse": {"name": "feel", "response": {"output": ""}, "id": made}},
        {"functionResponse": {"name": "look", "response": {"error": "no"}, "id": "c-1"}},
        {"text": "well?"},
    ]


def test_a_result_that_answers_no_call_of_the_turn_before_is_what_the_user_says() -> None:
    late = ToolResult(call_id="c-1", name="look", parts=(Text(text="seen"), Image(data=PNG)))
    assert contents(turn("tool", late)) == [
        ("user", [{"text": "seen"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}])
    ]
    told = contents(HI, turn("assistant", LOOK), HI, turn("assistant", Text(text="a")), turn("tool", late))
    assert told[-1][1][0] == {"text": "seen"}


def test_a_turn_of_which_nothing_is_left_is_not_left_out() -> None:
    nothing = ToolResult(call_id="x", name="look", parts=())
    told = contents(turn("tool", nothing), turn("assistant", Text(text="a")))
    assert [role for role, _ in told] == ["user", "model"]


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    told = contents(HI, turn("assistant", LOOK), HI)
    assert told[2][1] == [
        {
            "functionResponse": {
                "name": "look",
                "response": {"error": "There is no result of this call."},
                "id": "c-1",
            }
        },
        {"text": "hi"},
    ]
    assert len(contents(HI, turn("assistant", LOOK))) == 2, "the last word may be the model's"


def test_a_result_is_given_once_however_often_it_comes() -> None:
    seen = ToolResult(call_id="c-1", name="look", parts=(Text(text="seen"),))
    told = contents(HI, turn("assistant", LOOK), turn("tool", seen), turn("tool", seen))
    assert [*map(list, told[2][1])] == [["functionResponse"], ["text"]]


def test_numbers_of_arguments_keep_their_spelling() -> None:
    body = DIALECT.encode_request(asked(HI, turn("assistant", LOOK))).body
    assert b'"args":{"at":1.50}' in body


@pytest.mark.parametrize("model", ["gemini-3-flash", "gemini-2.5-pro"])
def test_pictures_in_results_stand_there_or_follow_by_what_the_model_takes(model: str) -> None:
    shown = ToolResult(call_id="c-1", name="look", parts=(Image(data=PNG), File(data=PDF)))
    [_, _, (_, parts)] = contents(HI, turn("assistant", LOOK), turn("tool", shown), model=model)
    blobs = [
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
    ]
    response = parts[0]["functionResponse"]
    if model == "gemini-3-flash":
        assert (response["parts"], parts[1:]) == (blobs, [])
        assert response["response"] == {"output": ""}
    else:
        assert ("parts" in response, parts[1:]) == (False, blobs)
        assert "image" in response["response"]["output"]


def test_a_picture_elsewhere_follows_the_result() -> None:
    shown = ToolResult(call_id="c-1", name="look", parts=(Image(url="https://x/a.png"),))
    [_, _, (_, parts)] = contents(HI, turn("assistant", LOOK), turn("tool", shown))
    assert parts[1] == {"fileData": {"fileUri": "https://x/a.png", "mimeType": "image/png"}}


@pytest.mark.parametrize(
    ("model", "signatures"),
    [
        ("gemini-3-flash", ["skip_thought_signature_validator", None]),
        ("gemini-2.5-flash", [None, None]),
    ],
)
def test_the_first_of_parallel_calls_has_a_signature_where_one_is_demanded(
    model: str, signatures: list[str | None]
) -> None:
    [_, (_, calls)] = contents(HI, turn("assistant", LOOK, replace(LOOK, id="c-2")), model=model)
    assert [part.get("thoughtSignature") for part in calls] == signatures


def test_signatures_go_back_on_the_part_they_came_on() -> None:
    told = contents(
        HI,
        turn(
            "assistant",
            Thinking(text="hm", signature="s-0", origin="gemini.generate"),
            Text(text="", signature="s-1"),
            Text(text="a", signature="s-2"),
            replace(LOOK, signature="s-3"),
        ),
    )
    assert [part.get("thoughtSignature") for part in told[1][1]] == ["s-0", "s-1", "s-2", "s-3"]
    assert told[1][1][0] == {"text": "hm", "thought": True, "thoughtSignature": "s-0"}


def test_thinking_of_others_stays_out_of_the_prompt() -> None:
    foreign = Thinking(text="hm", signature="s", origin="anthropic.messages")
    assert contents(HI, turn("assistant", foreign, Text(text="a")))[1] == ("model", [{"text": "a"}])
    assert losses(HI, turn("assistant", foreign)) == ("thinking.signature", "thinking")
    assert losses(HI, turn("assistant", Thinking(text="hm"))) == ("thinking",)


def test_opaque_parts_of_its_own_go_back_and_others_are_lost() -> None:
    own = Opaque(origin="gemini.generate", json='{"executableCode":{"code":"1.50"}}')
    other = Opaque(origin="anthropic.messages", json='{"type":"server_tool_use"}')
    assert contents(HI, turn("assistant", own, other))[1][1] == [{"executableCode": {"code": "1.50"}}]
    assert losses(HI, turn("assistant", own, other)) == ("messages.content.server_tool_use",)


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (Image(data=PNG), {"inlineData": {"mimeType": "image/png", "data": PNG}}),
        (Image(url="https://x/a"), {"fileData": {"fileUri": "https://x/a", "mimeType": "image/jpeg"}}),
        (Image(url="https://x/a.WEBP?"), {"fileData": {"fileUri": "https://x/a.WEBP?", "mimeType": "image/webp"}}),
        (Audio(data="UklG", format="wav"), {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}}),
        (File(data=PDF), {"inlineData": {"mimeType": "application/pdf", "data": PDF}}),
        (File(data="data:text/csv;base64,YQ=="), {"inlineData": {"mimeType": "text/csv", "data": "YQ=="}}),
        (File(url="https://x/a.md"), {"fileData": {"fileUri": "https://x/a.md", "mimeType": "text/markdown"}}),
        (File(url="https://x/a"), {"fileData": {"fileUri": "https://x/a"}}),
        (File(file_id="files/abc"), {"fileData": {"fileUri": "files/abc"}}),
    ],
)  # fmt: skip
def test_what_is_shown_has_a_media_type(part: Part, written: Any) -> None:
    assert contents(turn("user", part)) == [("user", [written])]


def test_a_file_that_another_provider_keeps_is_refused() -> None:
    with pytest.raises(Unsupported, match="does not keep"):
        DIALECT.encode_request(asked(turn("user", File(file_id="file-abc"))))


def test_fields_of_its_own_go_back_where_they_were() -> None:
    body = (
        b'{"model":"m","stream":true,"contents":[{"parts":[{"text":"hi"}]}],"safetySettings":[{"a":1.50}],'
        b'"generationConfig":{"mediaResolution":"LOW","topK":5,"seed":null},"labels":null}'
    )
    request = DIALECT.decode_request(body)
    assert (request.model, request.stream, request.include_usage) == ("m", True, True)
    assert request.extras == {
        "gemini.generate": {
            "safetySettings": '[{"a":1.50}]',
            "generationConfig": '{"mediaResolution":"LOW"}',
        }
    }
    written = DIALECT.encode_request(request).body
    assert b'"safetySettings":[{"a":1.50}]' in written
    assert json.loads(written)["generationConfig"] == {"topK": 5, "mediaResolution": "LOW"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"contents":[{"parts":[{"text":"hi"}]}]}',
        b'{"model":"m"}',
        b'{"model":"m","contents":[]}',
        b'{"model":"m","contents":[{"parts":["hi"]}]}',
        b'{"model":"m","contents":[{"parts":[{"functionCall":{}}]}]}',
        b'{"model":"m","contents":[{"parts":[{"text":5}]}]}',
        b'{"model":"m","contents":[{"parts":[]}],"generationConfig":5}',
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        DIALECT.decode_request(body)


@pytest.mark.parametrize(
    ("response", "said", "is_error"),
    [
        ('{"output":"a"}', "a", False),
        ('{"error":"a"}', "a", True),
        ('{"output":"a","more":1}', '{"output":"a","more":1}', False),
        ('{"output":{"n":1.50}}', '{"output":{"n":1.50}}', False),
        ("null", "", False),
    ],
)
def test_a_result_in_any_form_is_read(response: str, said: str, is_error: bool) -> None:
    part = f'{{"functionResponse":{{"name":"look","id":"c-1","response":{response}}}}}'
    body = f'{{"model":"m","contents":[{{"role":"function","parts":[{part}]}}]}}'
    [message] = DIALECT.decode_request(body.encode()).messages
    texts = (Text(text=said),) if said else ()
    assert message.parts == (ToolResult(call_id="c-1", name="look", parts=texts, is_error=is_error),)
