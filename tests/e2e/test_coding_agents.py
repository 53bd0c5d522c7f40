"""Coding agents in their one-shot modes, each with a command to run, on every family of providers.

The agent asks, the provider has it run a command, the agent runs it and tells, and the provider says what it was
told: only an answer that went round whole holds what the command printed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import wait_until_listed
from tests.support.books import Row, settled_rows
from tests.support.coding_agents import needed, run_claude, run_codex
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.upstream import ScriptedUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(needed()), reason=needed() or "all is there")]

PROVIDERS = ("up", "oll", "ant", "rsp")
AGENTS = {"codex": run_codex, "claude": run_claude}
PRINTED = "relay-42"


@pytest.fixture(scope="module")
def relay(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("agents")
    providers: dict[str, Toml] = {
        "up": {"kind": "openai-compatible", "base_url": upstream.openai_url, "api_key": "sk-up-canary"},
        "oll": {"kind": "ollama", "base_url": upstream.base_url},
        "ant": {"kind": "anthropic", "base_url": upstream.base_url, "api_key": "sk-ant-canary"},
        "rsp": {
            "kind": "openai-responses",
            "base_url": upstream.openai_url,
            "api_key": "sk-rsp-canary",
            "models": ["shell"],
        },
    }
    write_relay_toml(folder, {"providers": providers})
    with running_server(folder) as server:
        wait_until_listed(server, PROVIDERS)
        yield server


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_runs_a_command_and_tells_what_it_said(
    relay: ServerProcess, agent: str, provider: str, tmp_path: Path
) -> None:
    project = f"{agent}-{provider}"
    said = AGENTS[agent](
        relay.url, f"{provider}/shell", "Run the command.", key=f"project:{project}", folder=tmp_path
    )
    assert PRINTED in said

    def own(rows: list[Row]) -> list[Row]:
        return [
            row for row in rows if {"key": "project", "value": project, "source": "bearer"} in row["tags"]
        ]

    rows = own(settled_rows(relay.folder, lambda rows: len(own(rows)) >= 2))
    assert {row["outcome"] for row in rows} == {"ok"}
