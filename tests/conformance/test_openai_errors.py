"""What OpenAI's clients are told of failures, and by which id they may ask about them."""

import openai
import pytest

from tests.conformance.asking import HELLO, chat, error_of, every_provider, streamed_or_whole
from tests.conformance.wire import Api
from tests.support.official_clients import openai_client
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e


@pytest.mark.conformance("openai", 8)
def test_an_unknown_model_is_not_found_by_name(api: Api) -> None:
    answer = chat(api, "nobody/nothing")
    assert answer.status == 404
    error = error_of(answer)
    assert error["code"] == "model_not_found"
    assert "nobody/nothing" in error["message"]
    with openai_client(api.url) as client, pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="nobody/nothing", messages=[{"role": "user", "content": "hi"}])
    assert raised.value.code == "model_not_found"


@pytest.mark.conformance("openai", 10)
def test_every_answer_has_an_id_of_its_own(api: Api) -> None:
    answers = [
        chat(api, "up/basic"),
        chat(api, "up/basic", stream=True),
        chat(api, "zzz"),
        chat(api, "up/fault/500"),
        api.get("/v1/models"),
        api.get("/v1/nope"),
        api.get("/v1/chat/completions"),
        api.send("OPTIONS", "/v1/chat/completions"),
    ]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(ids)
    assert len(set(ids)) == len(answers)


@pytest.mark.conformance("openai", 10)
def test_openai_python_tells_the_id_of_what_failed(api: Api) -> None:
    ids: list[str] = []
    with openai_client(api.url, ids) as client, pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="zzz", messages=[{"role": "user", "content": "hi"}])
    assert ids == [raised.value.request_id]


@pytest.mark.conformance("openai", 12)
@streamed_or_whole
@every_provider
def test_a_providers_limit_is_passed_on_with_its_pause(api: Api, provider: str, stream: bool) -> None:
    answer = chat(api, f"{provider}/fault/429?retry_after=7", stream=stream)
    assert answer.status == 429
    assert answer.headers["retry-after"] == "7"
    assert error_of(answer)["type"] == "rate_limit_error"


@pytest.mark.conformance("openai", 14)
@streamed_or_whole
def test_an_unreachable_provider_is_told_without_saying_where(api: Api, stream: bool) -> None:
    answer = chat(api, "gone/basic", stream=stream)
    assert answer.status in (502, 503)
    error_of(answer)
    for secret in (b"127.0.0.1", b":9", b"sk-canary", b"Traceback"):
        assert secret not in answer.body


@pytest.mark.conformance("openai", 15)
@streamed_or_whole
def test_a_provider_that_does_not_answer_is_a_timeout(api: Api, stream: bool) -> None:
    answer = chat(api, "slow/fault/silent", stream=stream)
    assert answer.status == 504
    assert error_of(answer)["code"] == "upstream_timeout"


@pytest.mark.conformance("openai", 22)
@streamed_or_whole
@pytest.mark.parametrize("provider", ["up", "direct"])
def test_an_error_under_a_200_is_an_error(api: Api, provider: str, stream: bool) -> None:
    answer = chat(api, f"{provider}/fault/error_event?code=502", stream=stream)
    assert answer.status == 502
    assert error_of(answer)["message"] == "the model fell over"


@pytest.mark.conformance("openai", 61)
@every_provider
@pytest.mark.parametrize(
    ("fault", "status"),
    [("500", 503), ("400?code=context_length_exceeded", 400), ("error_event", 503), ("html", 502)],
)
def test_a_stream_that_fails_before_it_begins_has_the_failures_status(
    api: Api, provider: str, fault: str, status: int
) -> None:
    answer = chat(api, f"{provider}/fault/{fault}", stream=True)
    assert answer.status == status
    error_of(answer)


@pytest.mark.conformance("openai", 60)
@every_provider
def test_a_failure_within_a_stream_is_its_last_event(api: Api, provider: str) -> None:
    model = f"{provider}/fault/error_event?after_chunks=2"
    answer = chat(api, model, stream=True)
    assert answer.status == 200
    *chunks, last = answer.failed_chunks
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[1:]] == ["000 ", "001 "]
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)
    assert last["error"]["message"] == "the model fell over"
    with openai_client(api.url) as client, pytest.raises(openai.APIError, match="the model fell over"):
        list(
            client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "hi"}], stream=True
            )
        )


@pytest.mark.conformance("openai", 62)
@every_provider
@pytest.mark.parametrize("fault", ["cut?after_chunks=2", "nofinish"])
def test_a_stream_that_breaks_off_does_not_look_finished(api: Api, provider: str, fault: str) -> None:
    *chunks, last = chat(api, f"{provider}/fault/{fault}", stream=True).failed_chunks
    assert chunks
    assert all(choice["finish_reason"] is None for chunk in chunks for choice in chunk["choices"])
    assert last["error"]["code"] == "upstream_stream_interrupted"


@pytest.mark.conformance("openai", 75)
@every_provider
def test_a_result_of_a_call_nobody_made_is_the_clients_fault_or_none(
    api: Api, upstream: ScriptedUpstream, provider: str
) -> None:
    messages = [*HELLO, {"role": "tool", "tool_call_id": "call_of_nobody", "content": "sunny"}]
    answer = chat(api, f"{provider}/basic", messages=messages)
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert "sunny" in str(upstream.ledger.chats[-1].body["messages"])
    else:
        error_of(answer)
