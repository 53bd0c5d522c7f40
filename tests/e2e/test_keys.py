"""Keys over the whole way: made by the command, used on every route, revoked while the server runs."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import relay_settings
from tests.support.books import settled_rows
from tests.support.canary import make, search
from tests.support.process import ServerProcess, run_cli, running_server
from tests.support.relay_toml import write_relay_toml
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

EFFECTIVE_WITHIN_S = 2.0


@pytest.fixture
def server(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[ServerProcess]:
    write_relay_toml(tmp_path, relay_settings(upstream))
    with running_server(tmp_path) as process:
        yield process


def ask(server: ServerProcess, path: str, credential: str | None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = {"model": "up/basic", "stream": False, "messages": [{"role": "user", "content": "hi"}]}
    authorization = {"authorization": f"Bearer {credential}"} if credential else {}
    connection.request("POST", path, json.dumps(body), {**authorization, **headers})
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def wait_for_status(server: ServerProcess, credential: str | None, status: int) -> float:
    began = time.monotonic()
    while ask(server, "/api/chat", credential)[0] != status:
        assert time.monotonic() - began < EFFECTIVE_WITHIN_S
        time.sleep(0.02)
    return time.monotonic() - began


def test_the_first_key_closes_the_relay_and_works_at_once(server: ServerProcess) -> None:
    assert ask(server, "/api/chat", None)[0] == 200
    made = run_cli("keys", "create", "web", "--tag", "team:web", cwd=server.folder)
    assert made.returncode == 0
    key = made.stdout.strip()
    assert made.stdout == f"{key}\n"
    for path in ("/api/chat", "/v1/chat/completions"):
        assert ask(server, path, f"{key},alice")[0] == 200
        assert ask(server, path, None)[0] == 401
    assert json.loads(ask(server, "/v1/chat/completions", None)[1])["error"]["code"] == "invalid_api_key"
    assert isinstance(json.loads(ask(server, "/api/chat", None)[1])["error"], str)
    rows = settled_rows(server.folder, lambda rows: len(rows) == 3)
    assert [row["key"] for row in rows] == ["web", "web", None]
    assert [(t["key"], t["value"], t["source"]) for t in rows[0]["tags"]] == [
        ("team", "web", "key"),
        ("tag", "alice", "bearer"),
    ]


def test_a_revoked_key_ends_within_two_seconds_while_the_server_runs(server: ServerProcess) -> None:
    key = run_cli("keys", "create", "ci", cwd=server.folder).stdout.strip()
    wait_for_status(server, key, 200)
    assert run_cli("keys", "revoke", "ci", cwd=server.folder).returncode == 0
    took_s = wait_for_status(server, key, 401)
    print(f"a revoked key was refused after {took_s * 1000:.0f} ms")
    listed = json.loads(run_cli("keys", "list", "--json", cwd=server.folder).stdout)["items"]
    assert [(item["name"], item["state"]) for item in listed] == [("ci", "revoked")]


def test_tags_come_from_headers_and_the_models_name_and_never_override_bound_ones(
    server: ServerProcess,
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = {"model": "up/basic@bob,team:x", "stream": False, "messages": [{"role": "user", "content": "hi"}]}
    connection.request(
        "POST", "/api/chat", json.dumps(body), {"x-relay-tags": "project:p", "x-proxy-tag": "old"}
    )
    assert connection.getresponse().read()
    connection.close()
    (row,) = settled_rows(server.folder, lambda rows: len(rows) == 1)
    assert {(t["key"], t["value"], t["source"]) for t in row["tags"]} == {
        ("project", "p", "header"),
        ("tag", "old", "header"),
        ("tag", "bob", "model"),
        ("team", "x", "model"),
    }
    assert row["name_asked"] == "up/basic"


def test_two_different_credentials_are_refused(server: ServerProcess) -> None:
    status, body = ask(server, "/v1/chat/completions", "alice", **{"x-api-key": "bob"})
    assert status == 400
    assert "credential" in json.loads(body)["error"]["message"]


def test_no_key_prompt_or_answer_is_left_in_any_file(server: ServerProcess) -> None:
    prompt = make("prompt")
    key = run_cli("keys", "create", "secret", cwd=server.folder).stdout.strip()
    wait_for_status(server, key, 200)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = {"model": "up/echo", "stream": False, "messages": [{"role": "user", "content": prompt.text}]}
    connection.request("POST", "/api/chat", json.dumps(body), {"authorization": f"Bearer {key}"})
    assert prompt.text in json.loads(connection.getresponse().read())["message"]["content"]
    connection.close()
    server.terminate()
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    assert search([prompt], paths=files) == []
    secrets = (key[16:].encode(), b"sk-up-canary")
    leaks = [path for path in files if path.name != "relay.toml" for s in secrets if s in path.read_bytes()]
    assert leaks == []
