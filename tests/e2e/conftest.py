"""A scripted upstream and a real relay in front of it, for the tests of this folder."""

import time
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.conformance.wire import Api
from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.upstream import ScriptedUpstream, running_upstream

LISTING_DEADLINE_S = 5.0


def relay_settings(upstream: ScriptedUpstream) -> Mapping[str, Toml]:
    """The scripted upstream as two providers: `up` by OpenAI's dialect, `oll` by Ollama's."""
    return {
        "providers": {
            "up": {"kind": "openai-compatible", "base_url": upstream.openai_url, "api_key": "sk-up-canary"},
            "oll": {"kind": "ollama", "base_url": upstream.base_url},
        }
    }


def wait_until_listed(server: ServerProcess, providers: Iterable[str]) -> None:
    """Wait for the providers' models, which are discovered after the start."""
    wanted, deadline = set(providers), time.monotonic() + LISTING_DEADLINE_S
    while not wanted <= {model["owned_by"] for model in Api(server.port).get("/v1/models").json["data"]}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the models of {sorted(wanted)} are not listed")
        time.sleep(0.02)


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream() as server:
        yield server


@pytest.fixture(scope="module")
def relay(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("relay")
    write_relay_toml(folder, relay_settings(upstream))
    with running_server(folder) as server:
        wait_until_listed(server, ("up", "oll"))
        yield server
