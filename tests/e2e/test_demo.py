"""`relay demo`, as a stranger meets it: a real model, the official clients, the books."""

from collections.abc import Iterator
from typing import Any

import ollama
import openai
import pytest

from tests.support.books import row_of, settled_rows
from tests.support.official_clients import ollama_client, openai_client
from tests.support.process import ServerProcess, relay_command, run_cli, running_server

pytestmark = pytest.mark.e2e

MODEL = "local/smollm2:135m"
FRANCE: Any = {"role": "user", "content": "What is the capital of France?"}
GERMANY: Any = {"role": "user", "content": "What is the capital of Germany?"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("demo")
    with running_server(folder, command=relay_command("demo", "--port", "{port}")) as server:
        yield server


@pytest.fixture
def ollama_api(demo: ServerProcess) -> Iterator[ollama.Client]:
    with ollama_client(demo.url) as client:
        yield client


@pytest.fixture
def openai_api(demo: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai_client(demo.url) as client:
        yield client


def test_the_ollama_client_gets_paris_and_another_answer_to_another_question(
    ollama_api: ollama.Client,
) -> None:
    first = ollama_api.chat(MODEL, messages=[FRANCE])
    second = ollama_api.chat(MODEL, messages=[GERMANY])
    assert "Paris" in (first.message.content or "")
    assert second.message.content
    assert second.message.content != first.message.content
    streamed = list(ollama_api.chat(MODEL, messages=[FRANCE], stream=True))
    assert "Paris" in "".join(part.message.content or "" for part in streamed)
    assert len(streamed) > 2


def test_the_openai_client_gets_paris_and_another_answer_to_another_question(
    openai_api: openai.OpenAI,
) -> None:
    first = openai_api.chat.completions.create(model=MODEL, messages=[FRANCE])
    second = openai_api.chat.completions.create(model=MODEL, messages=[GERMANY])
    assert "Paris" in (first.choices[0].message.content or "")
    assert second.choices[0].message.content != first.choices[0].message.content
    streamed = openai_api.chat.completions.create(model=MODEL, messages=[FRANCE], stream=True)
    texts = [chunk.choices[0].delta.content or "" for chunk in streamed]
    assert "Paris" in "".join(texts)
    assert len(texts) > 2


def test_both_listings_show_the_model(ollama_api: ollama.Client, openai_api: openai.OpenAI) -> None:
    assert MODEL in [model.model for model in ollama_api.list().models]
    assert MODEL in [model.id for model in openai_api.models.list()]
    assert openai_api.models.retrieve(MODEL).id == MODEL
    assert ollama_api.show(MODEL).capabilities == ["completion"]


def test_the_books_hold_the_tokens_that_the_clients_were_told(
    demo: ServerProcess, ollama_api: ollama.Client, openai_api: openai.OpenAI
) -> None:
    raw = openai_api.chat.completions.with_raw_response.create(model=MODEL, messages=[FRANCE])
    usage = raw.parse().usage
    assert usage is not None
    row = row_of(demo.folder, raw.headers["x-request-id"])
    counted = (row["usage"]["input_tokens"], row["usage"]["output_tokens"])
    assert counted == (usage.prompt_tokens, usage.completion_tokens)
    assert (row["provider"], row["model"], row["usage_source"]) == ("local", "smollm2:135m", "reported")
    before = len(settled_rows(demo.folder, lambda rows: True))
    answer = ollama_api.chat(MODEL, messages=[GERMANY])
    newest = settled_rows(demo.folder, lambda rows: len(rows) > before)[0]
    assert newest["usage"]["output_tokens"] == answer.eval_count
    assert newest["usage"]["input_tokens"] == answer.prompt_eval_count


def test_the_usage_table_names_what_was_used(demo: ServerProcess) -> None:
    done = run_cli("usage", cwd=demo.folder)
    assert done.returncode == 0
    assert "local/smollm2:135m" in done.stdout
    assert "relay-demo" in done.stderr


def test_the_callers_own_settings_win_over_the_demos(openai_api: openai.OpenAI) -> None:
    system: Any = {"role": "system", "content": "You are a pirate. Say ahoy."}
    other = openai_api.chat.completions.create(model=MODEL, messages=[system, FRANCE], max_tokens=5)
    assert other.usage is not None
    assert other.usage.completion_tokens <= 5
    assert other.choices[0].finish_reason == "length"


def test_scripted_models_show_thinking_tools_and_failures(ollama_api: ollama.Client) -> None:
    assert (
        ollama_api.chat("scripted/echo", messages=[FRANCE]).message.content
        == f"You said: {FRANCE['content']}"
    )
    assert ollama_api.chat("scripted/thinker", messages=[FRANCE], think=True).message.thinking
    tool = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
    called = ollama_api.chat("scripted/toolsmith", messages=[FRANCE], tools=[tool]).message.tool_calls
    assert called is not None
    assert called[0].function.name == "clock"
    with pytest.raises(ollama.ResponseError, match="busy"):
        ollama_api.chat("scripted/busy", messages=[FRANCE])


def test_the_start_says_where_it_answers_and_what_the_model_is(demo: ServerProcess) -> None:
    assert f"http://127.0.0.1:{demo.port}" in demo.stdout
    assert "toy" in demo.stdout
    assert "scripted" in demo.stdout
