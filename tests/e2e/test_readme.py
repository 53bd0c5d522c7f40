"""What the README shows is run: its commands, its client, its configuration."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.adapters.outbound.providers.spec import kinds
from relay.settings import load
from tests.architecture.repository import ROOT
from tests.support.process import ServerProcess, relay_command, run_cli, running_server

pytestmark = pytest.mark.e2e

README = (ROOT / "README.md").read_text("utf-8")
PORT_SHOWN = "127.0.0.1:11434"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("readme")
    with running_server(folder, command=relay_command("demo", "--port", "{port}")) as server:
        yield server


def test_the_two_commands_are_the_two_that_do_everything() -> None:
    lines = [line.partition("#")[0].strip() for line in blocks("sh")[0].splitlines()]
    assert lines == ["pip install uv && uv run relay demo", "uv run pytest"]


def test_the_curl_call_and_the_usage_command_work_as_shown(demo: ServerProcess) -> None:
    curl, usage = re.split(r"\n(?=uv run)", blocks("sh")[1].strip())
    command = shlex.split(curl.replace(PORT_SHOWN, f"127.0.0.1:{demo.port}"))
    done = subprocess.run([command[0], "-sS", *command[1:]], capture_output=True, text=True, check=True)
    assert "Paris" in done.stdout
    assert usage == "uv run relay usage"
    assert "local/smollm2:135m" in run_cli("usage", cwd=demo.folder).stdout


def test_the_python_client_works_as_shown(demo: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(program.replace(PORT_SHOWN, f"127.0.0.1:{demo.port}"), "README.md", "exec"), names)
    client = names["client"]
    assert "Paris" in capsys.readouterr().out
    client.close()  # type: ignore[attr-defined]


def test_the_configuration_shown_is_a_valid_one(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    file = tmp_path / "relay.toml"
    file.write_text(text, "utf-8")
    settings = load(file=file, environment={})
    assert set(settings.providers) == {"home", "lab"}
    assert [virtual.name for virtual in settings.virtual_models()] == ["sonnet", "gpt-4", "fast"]
    explained = run_cli("explain", "gpt-4", cwd=tmp_path, env={"OPENAI_API_KEY": "sk-none"})
    assert "gpt-4 is served by openai/gpt-5-mini" in explained.stdout


def test_every_provider_and_command_the_readme_names_is_there() -> None:
    shown = README.lower()
    for kind in kinds():
        assert kind in shown
    for command in re.findall(r"`relay ([a-z]+)", README):
        assert run_cli(command, "--help", cwd=ROOT).returncode == 0
