"""Ollama's chat, whole answers: fields, leniency, options, formats, capabilities."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Any

import pytest

from tests.conformance.wire import Answer, Api
from tests.support.pictures import png
from tests.support.upstream import ScriptedUpstream, everything_ended

pytestmark = pytest.mark.e2e

HELLO = [{"role": "user", "content": "hi"}]
TEXT = "000 001 002 003 "


def chat(api: Api, model: str = "basic", **options: Any) -> Answer:
    return api.post("/api/chat", {"model": model, "messages": HELLO, "stream": False, **options})


def sent(upstream: ScriptedUpstream) -> Any:
    """The last request the provider got."""
    return upstream.ledger.chats[-1].body


@pytest.mark.conformance("ollama", 36, 38, 39)
def test_a_whole_answer_is_one_finished_object(api: Api) -> None:
    answer = chat(api)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json["message"] == {"role": "assistant", "content": TEXT}
    assert (answer.json["done"], answer.json["done_reason"]) == (True, "stop")
    assert answer.json["created_at"].endswith("Z")
    assert datetime.fromisoformat(answer.json["created_at"]).tzinfo is not None


@pytest.mark.conformance("ollama", 37)
@pytest.mark.parametrize("name", ["basic", "basic:latest", "Basic"])
def test_the_model_is_echoed_as_it_was_written(api: Api, name: str) -> None:
    assert chat(api, name).json["model"] == name


@pytest.mark.conformance("ollama", 40)
def test_metrics_are_nanoseconds_and_the_providers_counts(api: Api, upstream: ScriptedUpstream) -> None:
    answer = chat(api).json
    parts = [answer[key] for key in ("load_duration", "prompt_eval_duration", "eval_duration")]
    assert all(isinstance(part, int) and part > 0 for part in parts)
    assert answer["total_duration"] >= max(parts)
    upstream.ledger.wait(everything_ended)
    call = upstream.ledger.chats[-1]
    assert (answer["prompt_eval_count"], answer["eval_count"]) == (call.tokens_in, call.tokens_out)


@pytest.mark.conformance("ollama", 41)
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_counts_the_provider_does_not_report_are_absent(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/fault/nousage").json
    assert answer["message"]["content"] == TEXT
    assert "eval_count" not in answer
    assert "prompt_eval_count" not in answer


@pytest.mark.conformance("ollama", 42)
@pytest.mark.parametrize("provider", ["oll", "up"])
def test_no_null_and_no_foreign_key_is_in_an_answer(api: Api, provider: str) -> None:
    answer = chat(api, f"{provider}/basic")
    assert b"null" not in answer.body
    assert answer.json["done"]
    assert not {"error", "type"} & set(answer.json)


@pytest.mark.conformance("ollama", 43)
def test_an_answer_cut_by_its_limit_says_length(api: Api) -> None:
    assert chat(api, "up/length", options={"num_predict": 1}).json["done_reason"] == "length"


@pytest.mark.conformance("ollama", 44, 45)
def test_a_message_may_lack_content_and_shout_its_role(api: Api, upstream: ScriptedUpstream) -> None:
    messages = [{"role": "user"}, {"role": "user", "content": None}, {"role": "USER", "content": "hi"}]
    for model in ("basic", "up/basic"):
        answer = api.post("/api/chat", {"model": model, "messages": messages, "stream": False})
        assert (answer.status, answer.json["message"]["content"]) == (200, TEXT)
    assert sent(upstream)["messages"][-1] == {"role": "user", "content": "hi"}


@pytest.mark.conformance("ollama", 46)
def test_content_in_parts_is_taken(api: Api, upstream: ScriptedUpstream) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    answer = api.post("/api/chat", {"model": "basic", "messages": messages, "stream": False})
    assert (answer.status, answer.json["message"]["content"]) == (200, TEXT)
    assert sent(upstream)["messages"][-1]["content"] == "hi"


@pytest.mark.conformance("ollama", 47)
@pytest.mark.parametrize("model", ["basic", "up/basic"])
def test_options_of_any_age_are_harmless(api: Api, model: str) -> None:
    options = {"num_ctx": 8192.0, "mirostat": 0, "numa": False, "low_vram": True, "zzz": 1, "top_k": None}
    assert chat(api, model, options=options).json["message"]["content"] == TEXT


@pytest.mark.conformance("ollama", 48)
def test_an_option_of_the_wrong_type_is_told(api: Api) -> None:
    answer = chat(api, options={"temperature": "hot"})
    assert answer.status >= 400
    assert "temperature" in answer.json["error"]


@pytest.mark.conformance("ollama", 49, 50)
def test_an_unknown_and_an_empty_model_have_their_own_words(api: Api) -> None:
    unknown, empty = chat(api, "zzz"), chat(api, "")
    assert (unknown.status, unknown.json) == (404, {"error": "model 'zzz' not found"})
    assert (empty.status, empty.json) == (400, {"error": "model is required"})


@pytest.mark.conformance("ollama", 51)
def test_an_embedding_model_does_not_chat(api: Api) -> None:
    answer = chat(api, "emb")
    assert (answer.status, answer.json["error"]) == (400, '"emb" does not support chat')


@pytest.mark.conformance("ollama", 52, 53)
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("model", ["see", "up/image"])
def test_an_image_arrives_with_its_media_type(api: Api, model: str, prefix: str) -> None:
    picture = png()
    image = prefix + base64.b64encode(picture).decode()
    message = {"role": "user", "content": "what?", "images": [image]}
    answer = api.post("/api/chat", {"model": model, "messages": [message], "stream": False})
    digest = hashlib.sha256(picture).hexdigest()
    assert answer.json["message"]["content"] == f"image/png {len(picture)} bytes sha256={digest}"


@pytest.mark.conformance("ollama", 54)
def test_an_image_that_is_no_base64_is_refused(api: Api) -> None:
    message = {"role": "user", "content": "what?", "images": ["%%%"]}
    answer = api.post("/api/chat", {"model": "up/image", "messages": [message], "stream": False})
    assert answer.status == 400
    assert isinstance(answer.json["error"], str)


@pytest.mark.conformance("ollama", 55)
def test_a_format_may_be_nothing_json_or_a_schema(api: Api, upstream: ScriptedUpstream) -> None:
    for form in ("", None, "json"):
        assert chat(api, "up/basic", format=form).json["message"]["content"] == TEXT
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    answer = chat(api, "up/schema", format=schema)
    assert answer.json["message"]["content"] == '{"city": "abc"}'
    assert sent(upstream)["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.conformance("ollama", 56)
def test_any_other_format_is_told_to_be_invalid(api: Api) -> None:
    answer = chat(api, "up/basic", format="xml")
    assert answer.status >= 400
    assert "invalid format" in answer.json["error"]


@pytest.mark.conformance("ollama", 57)
@pytest.mark.parametrize("keep_alive", [5, 5.5, -1, -1.0, "5m", "1h30m", "-1s", "0s", None])
def test_keep_alive_is_seconds_or_a_duration(api: Api, keep_alive: object) -> None:
    assert chat(api, "up/basic", keep_alive=keep_alive).json["message"]["content"] == TEXT


@pytest.mark.conformance("ollama", 58)
def test_a_keep_alive_without_a_unit_or_of_another_kind_is_refused(api: Api) -> None:
    bare, truth = chat(api, "up/basic", keep_alive="10"), chat(api, "up/basic", keep_alive=True)
    assert (bare.status, truth.status) == (400, 400)
    assert "missing unit" in bare.json["error"]


@pytest.mark.conformance("ollama", 59)
def test_log_probabilities_come_when_asked_for_and_in_range(api: Api) -> None:
    tokens = chat(api, "up/logprobs", logprobs=True, top_logprobs=2).json["logprobs"]
    assert all({"token", "logprob", "top_logprobs"} <= set(token) for token in tokens)
    refused = chat(api, "up/logprobs", logprobs=True, top_logprobs=21)
    assert (refused.status, refused.json["error"]) == (400, "top_logprobs must be between 0 and 20")


@pytest.mark.conformance("ollama", 60)
@pytest.mark.parametrize("model", ["think", "up/think"])
def test_thinking_is_apart_from_the_answer(api: Api, model: str) -> None:
    message = chat(api, model, think=True).json["message"]
    assert (message["thinking"], message["content"]) == ("h00 h01 h02 ", TEXT)


@pytest.mark.conformance("ollama", 61)
@pytest.mark.parametrize("model", ["think", "plain", "basic"])
def test_thinking_can_be_switched_off_for_every_model(api: Api, model: str) -> None:
    assert chat(api, model, think=False).json["message"] == {"role": "assistant", "content": TEXT}


@pytest.mark.conformance("ollama", 62)
@pytest.mark.parametrize("think", [True, "high"])
def test_a_model_that_cannot_think_says_so(api: Api, think: object) -> None:
    answer = chat(api, "plain", think=think)
    assert (answer.status, answer.json["error"]) == (400, '"plain" does not support thinking')


@pytest.mark.conformance("ollama", 63)
@pytest.mark.parametrize(
    ("think", "effort"), [("low", "low"), ("medium", "medium"), ("high", "high"), ("max", "max")]
)
def test_how_much_to_think_reaches_the_provider(
    api: Api, upstream: ScriptedUpstream, think: str, effort: str
) -> None:
    assert chat(api, "think", think=think).json["message"]["thinking"]
    assert sent(upstream)["think"] == think
    assert chat(api, "up/think", think=think).json["message"]["thinking"]
    assert sent(upstream)["reasoning_effort"] == effort


@pytest.mark.conformance("ollama", 64)
@pytest.mark.parametrize("think", ["huge", 3])
def test_any_other_amount_of_thinking_is_refused(api: Api, think: object) -> None:
    answer = chat(api, "up/think", think=think)
    assert answer.status == 400
    assert "invalid think value" in answer.json["error"]


@pytest.mark.conformance("ollama", 66)
def test_an_answer_that_is_all_thought_has_empty_content(api: Api) -> None:
    answer = chat(api, "oll/think?chunks=0", think=True)
    assert answer.json["message"]["thinking"]
    assert answer.json["message"]["content"] == ""
    assert re.fullmatch("stop|length", answer.json["done_reason"])
