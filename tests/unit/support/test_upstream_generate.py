"""The scripted upstream's generate, read by the official client."""

from collections.abc import Iterator

import ollama
import pytest

from tests.support.official_clients import ollama_client
from tests.support.upstream import ScriptedUpstream, everything_ended, running_upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream() as server:
        yield server


@pytest.fixture
def client(upstream: ScriptedUpstream) -> Iterator[ollama.Client]:
    with ollama_client(upstream.base_url) as made:
        yield made


def test_an_answer_is_whole_or_line_by_line(client: ollama.Client) -> None:
    whole = client.generate("basic", "hi")
    *parts, last = client.generate("basic", "hi", stream=True)
    assert whole.response == "".join(part.response or "" for part in parts) == "000 001 002 003 "
    assert (last.response, last.done, last.eval_count) == ("", True, 4)
    assert not any(part.done or part.context for part in parts)


def test_the_memory_grows_with_what_was_said(client: ollama.Client) -> None:
    first = client.generate("basic", "hello")
    assert first.context == [2, 4]
    assert client.generate("basic", "hello", context=first.context).context == [2, 4, 2, 4]
    assert client.generate("basic", "hello", raw=True).context is None


def test_thinking_stands_beside_the_response(client: ollama.Client) -> None:
    answer = client.generate("think", "hi", think=True)
    assert (answer.thinking, answer.response) == ("h00 h01 h02 ", "000 001 002 003 ")


def test_a_gap_is_filled_where_the_model_can(client: ollama.Client) -> None:
    assert client.generate("fill", "a", suffix="b").response == "[a|b]"
    with pytest.raises(ollama.ResponseError, match="basic:latest does not support insert"):
        client.generate("basic", "a", suffix="b")


def test_raw_mode_takes_no_system(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="raw mode does not support"):
        client.generate("basic", "a", raw=True, system="b")


def test_the_ledger_has_a_call_for_a_prompt(upstream: ScriptedUpstream, client: ollama.Client) -> None:
    upstream.reset()
    client.generate("basic", "four", system="words")
    [call] = upstream.ledger.wait(everything_ended)
    assert (call.path, call.tokens_in, call.tokens_out) == ("/api/generate", 3, 4)
