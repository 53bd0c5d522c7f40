"""Whole answers of OpenAI's chat, and what becomes of a request on its way to the provider."""

import base64
import hashlib
import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.conformance.asking import (
    HELLO,
    TEXT,
    chat,
    deltas_of,
    error_of,
    every_provider,
    message_of,
    streamed_or_whole,
    translated,
)
from tests.conformance.conftest import Place
from tests.conformance.wire import Answer, Api
from tests.support.books import row_of
from tests.support.declarations import SCHEMA, WEATHER
from tests.support.official_clients import openai_client
from tests.support.pictures import png
from tests.support.upstream import ScriptedUpstream
from tests.support.upstream.openai_wire import source

pytestmark = pytest.mark.e2e


class City(BaseModel):
    """What a program may want an answer to be."""

    city: str


def picture(url: str) -> list[Any]:
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": parts}]


def sent(upstream: ScriptedUpstream, answer: Answer) -> Any:
    """What reached the provider of a request that was answered well."""
    assert answer.status == 200
    return upstream.ledger.chats[-1].body


@pytest.mark.conformance("openai", 29)
@every_provider
def test_a_minimal_request_gets_a_complete_answer(api: Api, provider: str) -> None:
    with openai_client(api.url) as client:
        answer = client.chat.completions.create(
            model=f"{provider}/basic", messages=[{"role": "user", "content": "hi"}]
        )
    assert answer.object == "chat.completion"
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", TEXT)
    assert (choice.index, choice.finish_reason) == (0, "stop")
    usage = answer.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1, 4, 5)


@pytest.mark.conformance("openai", 31)
@every_provider
def test_two_system_messages_stay_where_they_are(api: Api, upstream: ScriptedUpstream, provider: str) -> None:
    messages = [
        {"role": "system", "content": "first"},
        {"role": "user", "content": "ask"},
        {"role": "developer", "content": "second"},
    ]
    got = sent(upstream, chat(api, f"{provider}/basic", messages=messages))["messages"]
    assert [message["content"] for message in got] == ["first", "ask", "second"]
    assert [message["role"] in ("system", "developer") for message in got] == [True, False, True]


@pytest.mark.conformance("openai", 32)
@every_provider
def test_parts_of_text_keep_their_order(api: Api, upstream: ScriptedUpstream, provider: str) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    answer = chat(api, f"{provider}/basic", messages=[{"role": "user", "content": parts}])
    (message,) = sent(upstream, answer)["messages"]
    text = json.dumps(message)
    assert 0 < text.index("one") < text.index("two")


@pytest.mark.conformance("openai", 33)
@every_provider
def test_an_inline_picture_arrives_in_the_providers_form(
    api: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    data = base64.b64encode(png()).decode()
    answer = chat(api, f"{provider}/image", messages=picture(f"data:image/png;base64,{data}"))
    digest = hashlib.sha256(png()).hexdigest()
    assert message_of(answer)["content"] == f"image/png {len(png())} bytes sha256={digest}"
    (message,) = sent(upstream, answer)["messages"]
    if provider == "oll":
        assert message["images"] == [data]


@pytest.mark.conformance("openai")
def test_an_address_of_a_picture_is_refused_where_the_provider_fetches_none(
    api: Api, upstream: ScriptedUpstream
) -> None:
    answer = chat(api, "oll/image", messages=picture("http://127.0.0.1/picture.png"))
    assert answer.status == 400
    error = error_of(answer)
    assert error["param"] == "messages"
    assert "data:" in error["message"]
    assert upstream.ledger.chats == []


@pytest.mark.conformance("openai", 35)
@pytest.mark.parametrize("asked", ["max_tokens", "max_completion_tokens"])
def test_a_limit_has_the_providers_name(api: Api, upstream: ScriptedUpstream, asked: str) -> None:
    def limits(provider: str) -> dict[str, int]:
        body = sent(upstream, chat(api, f"{provider}/basic", **{asked: 77}))
        found = {**body, **body.get("options", {})}
        names = {"max_tokens", "max_completion_tokens", "num_predict"} & set(found)
        return {name: found[name] for name in names}

    assert limits("oll") == {"num_predict": 77}
    assert limits("direct") == {"max_completion_tokens": 77}
    assert limits("up") == {"max_tokens": 77}


@pytest.mark.conformance("openai", 36)
@pytest.mark.parametrize("model", ["gpt-5-mini", "o3", "o4-mini"])
def test_openai_gets_the_limit_under_its_new_name(api: Api, upstream: ScriptedUpstream, model: str) -> None:
    chat(api, f"direct/{model}", max_tokens=77)
    (call,) = upstream.ledger.chats
    assert call.body["max_completion_tokens"] == 77
    assert "max_tokens" not in call.body


@pytest.mark.conformance("openai", 38, 39)
@every_provider
def test_a_temperature_arrives_as_given_and_only_then(
    api: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    body = sent(upstream, chat(api, f"{provider}/basic"))
    assert "temperature" not in {**body, **body.get("options", {})}
    body = sent(upstream, chat(api, f"{provider}/basic", temperature=0))
    assert {**body, **body.get("options", {})}["temperature"] == 0


@pytest.mark.conformance("openai", 40)
@every_provider
def test_one_stop_text_is_as_good_as_a_list_of_it(
    api: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    def stops(asked: object) -> Any:
        body = sent(upstream, chat(api, f"{provider}/basic", stop=asked))
        return {**body, **body.get("options", {})}["stop"]

    assert stops("x") in ("x", ["x"])
    assert stops(["x"]) == ["x"]


@pytest.mark.conformance("openai", 41)
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_two_choices_are_two(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic", n=2).json
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    assert {choice["message"]["content"] for choice in answer["choices"]} == {TEXT}
    chunks = chat(api, f"{provider}/basic", n=2, stream=True).chunks
    for index in (0, 1):
        mine = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
        assert "".join(choice["delta"].get("content") or "" for choice in mine) == TEXT
        assert [choice["finish_reason"] for choice in mine if choice["finish_reason"]] == ["stop"]


@pytest.mark.conformance("openai", 41)
def test_two_choices_are_refused_where_there_is_only_one(api: Api, upstream: ScriptedUpstream) -> None:
    answer = chat(api, "oll/basic", n=2)
    assert answer.status == 400
    assert error_of(answer)["param"] == "n"
    assert upstream.ledger.chats == []


@pytest.mark.conformance("openai", 42)
@every_provider
@streamed_or_whole
def test_an_answer_cut_short_says_so(api: Api, provider: str, stream: bool) -> None:
    answer = chat(api, f"{provider}/length", max_tokens=2, stream=stream)
    chunks = answer.chunks if stream else [answer.json]
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == ["length"]


@pytest.mark.conformance("openai", 44)
@every_provider
def test_an_answer_of_calls_alone_has_a_content_of_null(api: Api, provider: str) -> None:
    message = message_of(chat(api, f"{provider}/tools", tools=[WEATHER]))
    assert len(message["tool_calls"]) == 1
    assert "content" in message
    assert message["content"] is None


FENCED = '```json\n{"city": "Köln"}\n```'


def repeated(api: Api, model: str, text: str, *, stream: bool, **options: Any) -> str:
    """The text of a provider that says what it was told."""
    answer = chat(api, model, messages=[{"role": "user", "content": text}], stream=stream, **options)
    messages = deltas_of(answer) if stream else [message_of(answer)]
    return "".join(message.get("content") or "" for message in messages)


@pytest.mark.conformance("openai", 45)
@translated
@streamed_or_whole
@pytest.mark.parametrize("kind", ["json_schema", "json_object"])
def test_json_that_was_asked_for_has_no_fence(api: Api, provider: str, stream: bool, kind: str) -> None:
    schema = {"json_schema": {"name": "place", "schema": SCHEMA}} if kind == "json_schema" else {}
    for model in ("echo", "fault/split?of=echo&n=1"):
        text = repeated(
            api, f"{provider}/{model}", FENCED, stream=stream, response_format={"type": kind, **schema}
        )
        assert json.loads(text) == {"city": "Köln"}


@pytest.mark.conformance("openai", 45)
@translated
def test_openai_python_parses_fenced_json_into_the_type_asked_for(api: Api, provider: str) -> None:
    with openai_client(api.url) as client:
        answer = client.chat.completions.parse(
            model=f"{provider}/echo", messages=[{"role": "user", "content": FENCED}], response_format=City
        )
    assert answer.choices[0].message.parsed == City(city="Köln")


@pytest.mark.conformance("openai", 45)
@every_provider
@streamed_or_whole
def test_a_fence_in_any_other_answer_stays(api: Api, provider: str, stream: bool) -> None:
    assert repeated(api, f"{provider}/echo", FENCED, stream=stream) == FENCED


@pytest.mark.conformance("openai", 50)
@streamed_or_whole
def test_a_list_of_sources_is_kept_and_told_as_annotations_too(api: Api, stream: bool) -> None:
    answer = chat(api, "up/cited?form=list&sources=2", stream=stream)
    messages = deltas_of(answer) if stream else [message_of(answer)]
    (annotations,) = [message["annotations"] for message in messages if "annotations" in message]
    assert [annotation["type"] for annotation in annotations] == ["url_citation", "url_citation"]
    assert [annotation["url_citation"] for annotation in annotations] == [
        {**source(number), "start_index": 0, "end_index": 0} for number in range(2)
    ]
    (listed,) = [
        body["citations"] for body in (answer.chunks if stream else [answer.json]) if "citations" in body
    ]
    assert listed == [source(number)["url"] for number in range(2)]


@pytest.mark.conformance("openai", 50)
@streamed_or_whole
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_annotations_arrive_with_all_their_fields(api: Api, provider: str, stream: bool) -> None:
    answer = chat(api, f"{provider}/cited", stream=stream)
    messages = deltas_of(answer) if stream else [message_of(answer)]
    told = [annotation for message in messages for annotation in message.get("annotations") or ()]
    assert [annotation["url_citation"] for annotation in told] == [source(0), source(1)]


@pytest.mark.conformance("openai", 50)
@streamed_or_whole
def test_annotations_that_a_client_of_ollamas_cannot_get_are_booked_as_lost(
    place: Place, stream: bool
) -> None:
    for script, losses in (("cited", ("annotations",)), ("basic", ())):
        asked = {"model": f"up/{script}", "messages": HELLO, "stream": stream}
        answer = place.api.post("/api/chat", asked)
        assert answer.status == 200
        assert place.relay is not None
        row = row_of(place.relay.folder, answer.headers["x-request-id"])
        assert tuple(row["losses"]) == losses


@pytest.mark.conformance("openai", 46)
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_cached_tokens_are_among_those_of_the_prompt(api: Api, provider: str) -> None:
    usage = chat(api, f"{provider}/basic?input_tokens=50&cached_tokens=20").json["usage"]
    assert usage["prompt_tokens"] == 50
    assert usage["prompt_tokens_details"]["cached_tokens"] == 20


@pytest.mark.conformance("openai", 47)
@every_provider
def test_reasoning_has_a_place_of_its_own(api: Api, provider: str) -> None:
    message = message_of(chat(api, f"{provider}/think"))
    assert message["reasoning_content"] == "h00 h01 h02 "
    assert message["content"] == TEXT


@pytest.mark.conformance("openai", 48)
@pytest.mark.parametrize("name", ["plain", "me/ns:v1", "up/basic", "direct/basic", "oll/basic"])
def test_the_model_is_called_what_the_client_called_it(api: Api, name: str) -> None:
    assert chat(api, name).json["model"] == name
    assert {chunk["model"] for chunk in chat(api, name, stream=True).chunks} == {name}


@pytest.mark.conformance("openai", 49)
@every_provider
def test_log_probabilities_that_nobody_gave_are_null(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic", logprobs=True)
    assert answer.status == 200
    (choice,) = answer.json["choices"]
    assert choice["logprobs"] is None
