"""The command `llm`, by its plugin for Ollama and by its own client for OpenAI.

The command runs in the test's process, as a process each time would take seconds.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.e2e.clients.accounts import assert_agreed
from tests.support.pictures import png
from tests.support.process import ServerProcess
from tests.support.upstream import DEFAULT_MODELS, ScriptedUpstream, running_upstream
from tests.support.upstream.embeddings import vector_of

pytestmark = pytest.mark.e2e

type Llm = Callable[..., Result]

MORE = ("fault/429", "fault/cut", "tools?calls=2", "embed")
"""Listed besides, as the plugin knows only what is listed."""

FUNCTIONS = """
def weather(city: str, days: int) -> str:
    "Tells the weather."
    return f"sunny in {city} for {days}"

def clock() -> str:
    "Tells the time."
    return "noon"
"""

model_of = pytest.mark.parametrize(
    "model", ["ollama/up/basic", "ollama/oll/basic", "openai/up", "openai/oll"]
)
provider_of = pytest.mark.parametrize("provider", ["up", "oll"])


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream(ScriptedUpstream(models=(*DEFAULT_MODELS, *MORE))) as server:
        yield server


@pytest.fixture(scope="module")
def llm(relay: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llm]:
    """Runs one command line of a user who has set up nothing but the relay's address."""
    folder = tmp_path_factory.mktemp("llm")
    models = [
        {
            "model_id": f"openai/{provider}",
            "model_name": f"{provider}/basic",
            "api_base": f"{relay.url}/v1",
        }
        for provider in ("up", "oll")
    ]
    # JSON is YAML.
    (folder / "extra-openai-models.yaml").write_text(json.dumps(models))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LLM_USER_PATH", str(folder))
        environment.setenv("LLM_LOAD_PLUGINS", "llm-ollama")
        environment.setenv("OLLAMA_HOST", relay.url)
        environment.setenv("OPENAI_API_KEY", "none")
        # The plugin closes none of its clients, so each connection ends with its answer.
        environment.setenv("OLLAMA_HEADERS", "connection=close")
        from llm.cli import cli

        yield lambda *arguments: CliRunner().invoke(cli, list(arguments))


def tokens_told(result: Result) -> list[tuple[int, int]]:
    lines = re.findall(r"Token usage: (\d+) input, (\d+) output", result.stderr)
    return [(int(read), int(written)) for read, written in lines]


def test_every_model_is_found_with_what_it_can_do(llm: Llm) -> None:
    lines = llm("ollama", "models").stdout.splitlines()[1:]
    found = {
        name: told.rstrip() for name, _, told in (re.split(r"\s{2,}", line, maxsplit=2) for line in lines)
    }
    assert found["oll/basic:latest"] == "completion"
    assert found["oll/think:latest"] == "completion, thinking"
    assert found["oll/image:latest"] == "completion, vision"
    assert found["up/basic:latest"] == "completion, tools"
    assert len(found) == 2 * len((*DEFAULT_MODELS, *MORE))


@model_of
@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_an_answer_and_its_count(
    relay: ServerProcess, upstream: ScriptedUpstream, llm: Llm, model: str, how: tuple[str, ...]
) -> None:
    result = llm("-m", model, "hi", "--usage", "--no-log", *how)
    assert (result.exit_code, result.stdout) == (0, "000 001 002 003 \n")
    (tokens,) = tokens_told(result)
    assert_agreed(relay, upstream, tokens)


@provider_of
def test_tools_are_run_and_their_results_answered(
    relay: ServerProcess, upstream: ScriptedUpstream, llm: Llm, provider: str
) -> None:
    model = f"ollama/{provider}/tools?calls=2"
    result = llm("-m", model, "hi", "--functions", FUNCTIONS, "--td", "--usage", "--no-log")
    assert (result.exit_code, result.stdout.strip()) == (0, "000 001 002 003")
    assert "sunny in abc for 1" in result.stderr
    asked, answered = tokens_told(result)
    _, second = assert_agreed(relay, upstream, (asked[0] + answered[0], asked[1] + answered[1]), calls=2)
    results = [message["content"] for message in second.body["messages"] if message["role"] == "tool"]
    assert results == ["sunny in abc for 1", "noon"]


@provider_of
def test_a_schema_reaches_the_provider(llm: Llm, provider: str) -> None:
    result = llm("-m", f"ollama/{provider}/schema", "hi", "--schema", "city str, days int", "--no-log")
    assert json.loads(result.stdout) == {"city": "abc", "days": 1}


def test_a_picture_reaches_the_provider(llm: Llm, tmp_path: Path) -> None:
    picture = png()
    (tmp_path / "dot.png").write_bytes(picture)
    result = llm("-m", "ollama/oll/image", "hi", "-a", str(tmp_path / "dot.png"), "--no-log")
    digest = hashlib.sha256(picture).hexdigest()
    assert result.stdout == f"image/png {len(picture)} bytes sha256={digest}\n"


def test_thinking_is_kept_apart_from_the_answer(llm: Llm) -> None:
    result = llm("-m", "ollama/oll/think", "hi", "-o", "think", "true", "--no-log")
    assert result.stdout == "000 001 002 003 \n"
    assert "h00 h01 h02" in result.stderr


def test_a_setting_reaches_the_provider(upstream: ScriptedUpstream, llm: Llm) -> None:
    llm("-m", "ollama/oll/length", "hi", "-o", "num_predict", "3", "-o", "temperature", "0", "--no-log")
    assert upstream.ledger.chats[-1].body["options"] == {"num_predict": 3, "temperature": 0.0}


def test_a_text_is_embedded(llm: Llm) -> None:
    result = llm("embed", "-m", "ollama/oll/embed", "-c", "the first", "-f", "json")
    assert json.loads(result.stdout) == pytest.approx(vector_of("the first"), abs=1e-6)


@provider_of
@pytest.mark.parametrize(
    ("model", "came", "words"),
    [("fault/429", "", "scripted error 429"), ("fault/cut", "000 001 002 ", "broke in the middle")],
)
def test_a_failure_is_told_and_the_command_fails(
    llm: Llm, provider: str, model: str, came: str, words: str
) -> None:
    result = llm("-m", f"ollama/{provider}/{model}", "hi", "--no-log")
    assert result.exit_code == 1
    assert result.stdout.strip() == came.strip()
    assert words in result.stderr


def test_an_unknown_model_is_told(llm: Llm) -> None:
    result = llm("-m", "ollama/up/nothing", "hi", "--no-log")
    assert (result.exit_code, result.stderr) == (1, "Error: 'Unknown model: ollama/up/nothing'\n")
