"""What is asked of the mock, how it is worded, and what an account of a run says."""

import dataclasses
import json

import pytest

from benchmarks.configurations import litellm_yaml, relay_toml
from benchmarks.measuring import as_plain, body_of, sample_of
from benchmarks.scenarios import SCENARIOS, STREAM_TOKENS, Scenario, asked_models
from benchmarks.targets import Target
from relay.settings import Document

RELAY = Target(name="relay", url="http://127.0.0.1:1/v1/chat/completions", pid=1)
ACCOUNT: dict[str, object] = {
    "seconds": 2.0,
    "answers": 400,
    "chunks": 0,
    "wrong": 0,
    "processor_us": 40_000.0,
    "latency_p50_ms": 1.5,
    "latency_p99_ms": 4.0,
    "transit_p50_ms": 0.0,
    "transit_p99_ms": 0.0,
    "first_wrong": "",
}


def scenario(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


def test_the_models_name_tells_the_mock_what_to_do() -> None:
    assert scenario("requests").model == "mock"
    assert scenario("streams").model == "mock-c064-d5"
    assert scenario("waiting").model == "mock-w100"


def test_every_name_that_a_shortened_stream_asks_for_is_known() -> None:
    models = scenario("open-streams").models
    assert len(models) == STREAM_TOKENS
    assert {"mock-c001-d312", "mock-c064-d312"} <= set(models) <= set(asked_models())


def test_a_history_is_as_long_as_it_says_and_ends_with_the_question() -> None:
    body = body_of(scenario("history"), "openai")
    assert 38_000 < len(json.dumps(body)) < 44_000
    messages = body["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages[:3]] == ["system", "user", "assistant"]
    assert messages[-1]["role"] == "user"


def test_usage_is_asked_for_in_the_words_of_the_dialect() -> None:
    assert body_of(scenario("streams"), "openai")["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body_of(scenario("requests"), "openai")
    assert "stream_options" not in body_of(scenario("streams"), "ollama")


def test_processor_time_is_shared_among_the_answers() -> None:
    sample = sample_of(ACCOUNT, RELAY, scenario("requests"), 0)
    assert (sample.cpu_us_per_request, sample.cpu_us_per_chunk, sample.requests_per_s) == (100.0, None, 200.0)
    assert sample.transit_p50_ms is None


def test_processor_time_of_streams_is_shared_among_their_chunks() -> None:
    sample = sample_of({**ACCOUNT, "chunks": 8000, "answers": 0}, RELAY, scenario("streams"), 0)
    assert (sample.cpu_us_per_request, sample.cpu_us_per_chunk) == (None, 5.0)
    assert sample.wrong == 0, "streams may be longer than the window"


def test_the_mock_itself_has_no_processor_time_to_tell() -> None:
    sample = sample_of(ACCOUNT, dataclasses.replace(RELAY, pid=None), scenario("requests"), 0)
    assert sample.cpu_us_per_request is None


@pytest.mark.parametrize("name", ["requests", "streams"])
def test_a_gateway_that_answered_nothing_is_wrong(name: str) -> None:
    sample = sample_of({**ACCOUNT, "answers": 0}, RELAY, scenario(name), 0)
    assert (sample.wrong, sample.what_was_wrong) == (1, "nothing was answered")


def test_wrong_answers_are_counted_with_the_first_of_them() -> None:
    account = {**ACCOUNT, "wrong": 7, "first_wrong": "the end is missing: 200"}
    plain = as_plain(sample_of(account, RELAY, scenario("requests"), 2))
    assert plain["wrong"] == 7
    assert plain["what_was_wrong"] == "the end is missing: 200"
    assert "transit_p50_ms" not in plain


def test_the_relays_configuration_names_every_model_and_fills_up_the_catalogue() -> None:
    settings, mistake = Document("relay.toml", relay_toml(1234, "http://127.0.0.1:1/v1", fillers=3)).parsed()
    assert mistake is None
    assert isinstance(providers := settings["providers"], dict)
    assert providers["upstream"]["models"] == [
        *asked_models(),
        "filler-00000",
        "filler-00001",
        "filler-00002",
    ]
    assert settings["auth"] == {"mode": "keys"}


def test_litellm_gets_every_model_with_a_price() -> None:
    text = litellm_yaml("http://127.0.0.1:1/v1")
    assert text.count("model_name:") == text.count("output_cost_per_token:") == len(asked_models())
