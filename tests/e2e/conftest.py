"""A scripted upstream and a real relay in front of it, for the tests of this folder."""

from collections.abc import Iterator, Mapping

import pytest

from tests.support.process import ServerProcess, running_server
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.upstream import ScriptedUpstream, running_upstream


def relay_settings(upstream: ScriptedUpstream) -> Mapping[str, Toml]:
    """The scripted upstream as two providers: `up` by OpenAI's dialect, `oll` by Ollama's."""
    return {
        "providers": {
            "up": {"kind": "openai-compatible", "base_url": upstream.openai_url, "api_key": "sk-up-canary"},
            "oll": {"kind": "ollama", "base_url": upstream.base_url},
        }
    }


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with running_upstream() as server:
        yield server


@pytest.fixture(scope="module")
def relay(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("relay")
    write_relay_toml(folder, relay_settings(upstream))
    with running_server(folder) as server:
        yield server
