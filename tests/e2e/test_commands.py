"""The command line against the real thing: exit codes, texts, and what may listen where."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import relay_settings
from tests.support.process import ServerProcess, free_port, run_cli, running_server
from tests.support.relay_toml import Toml, write_relay_toml
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e


def test_the_version_is_told_without_loading_the_server(tmp_path: Path) -> None:
    done = run_cli("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("relay 0.")
    probe = (
        "import sys; from relay.__main__ import main\n"
        "main(['--version'])\n"
        "bad = {'litestar', 'sqlalchemy', 'httpx2', 'httpx', 'uvicorn'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {bad}' if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False, capture_output=True).returncode == 0


def test_wrong_usage_is_two_an_unknown_name_three_a_bad_file_four(tmp_path: Path) -> None:
    assert run_cli("serv", cwd=tmp_path).returncode == 2
    unknown = run_cli("explain", "nothing", cwd=tmp_path)
    assert unknown.returncode == 3
    assert "nothing" in unknown.stderr
    write_relay_toml(tmp_path, '[models.smart]\ntargett = "x"\n')
    refused = run_cli("serve", cwd=tmp_path)
    assert refused.returncode == 4
    assert 'relay.toml:2:1: [models.smart] targett: unknown key. Did you mean "target"?' in refused.stderr


def test_the_models_and_the_explanation_come_from_the_running_server(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    listed = json.loads(run_cli("models", "--json", cwd=relay.folder).stdout)["items"]
    names = [item["name"] for item in listed]
    assert "up/basic" in names
    assert "oll/think:latest" in names
    explained = run_cli("explain", "oll/think", cwd=relay.folder)
    assert explained.returncode == 0
    assert "oll/think is served by oll/think:latest" in explained.stdout
    assert "resolved by prefix" in explained.stdout
    assert "oll/think:latest is called as ollama.chat, bytes of its clients pass" in explained.stdout
    typo = run_cli("explain", "oll-thinkk", cwd=relay.folder)
    assert typo.returncode == 3
    assert "oll/think" in typo.stderr


def test_a_taken_port_is_diagnosed_by_what_holds_it(relay: ServerProcess, tmp_path: Path) -> None:
    taken = run_cli("serve", "--port", str(relay.port), cwd=tmp_path)
    assert taken.returncode == 1
    assert "another LLM Relay" in taken.stderr
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        other = run_cli("serve", "--port", str(silent.getsockname()[1]), cwd=tmp_path)
    assert other.returncode == 1
    assert "another program" in other.stderr


def test_a_taken_port_of_an_ollama_says_how_to_keep_both(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    port = upstream.base_url.rsplit(":", 1)[1]
    done = run_cli("serve", "--port", port, cwd=tmp_path)
    assert done.returncode == 1
    assert "It is Ollama" in done.stderr
    assert "Keep both" in done.stderr


def test_beyond_this_machine_it_listens_only_with_keys_or_when_told(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    write_relay_toml(tmp_path, relay_settings(upstream))
    refused = run_cli("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path)
    assert refused.returncode == 1
    assert "relay keys create" in refused.stderr
    assert "--insecure-no-auth" in refused.stderr
    assert run_cli("keys", "create", "k", cwd=tmp_path).returncode == 0
    port = free_port()
    command = [sys.executable, "-m", "relay", "serve", "--host", "0.0.0.0", "--port", str(port)]
    with running_server(tmp_path, command=command, port=port) as server:
        assert server.exit_code() is None


def test_a_second_server_on_the_same_books_is_refused(relay: ServerProcess) -> None:
    second = run_cli("serve", "--port", "0", cwd=relay.folder, timeout_s=10)
    assert second.returncode == 1
    assert "relay.db" in second.stderr


def test_a_signal_ends_it_in_order(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    write_relay_toml(tmp_path, relay_settings(upstream))
    with running_server(tmp_path) as server:
        assert server.terminate() == 0
    with running_server(tmp_path) as server:
        server.send_signal(signal.SIGINT)
        assert server.wait() in (0, 130)


def test_a_provider_that_hangs_delays_neither_the_start_nor_the_listing(tmp_path: Path) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        address = f"http://127.0.0.1:{hole.getsockname()[1]}"
        providers: Mapping[str, Toml] = {
            "hole": {"kind": "ollama", "base_url": address},
            "gone": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9/v1"},
            "fixed": {"kind": "openai-compatible", "base_url": f"{address}/v1", "models": ["static-model"]},
        }
        write_relay_toml(tmp_path, {"providers": providers})
        with running_server(tmp_path, start_deadline_s=10) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=1.0)
            connection.request("GET", "/api/tags")
            names = [model["name"] for model in json.loads(connection.getresponse().read())["models"]]
            connection.close()
    assert names == ["fixed/static-model:latest"]
