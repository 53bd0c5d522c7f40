"""Reloads of a running relay: what changes within two seconds, what does not, and what nobody notices."""

import http.client
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from msgspec import convert

from relay.adapters.inbound.control.client import send
from relay.adapters.inbound.control.wire import socket_path
from relay.settings import Mistake
from tests.e2e.conftest import relay_settings
from tests.support.configuration_mistakes import EXPECTED, MISTAKES
from tests.support.process import ServerProcess, relay_command, run_cli, running_server
from tests.support.relay_toml import Toml, toml_text, write_relay_toml
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.e2e

WITHIN_S = 2.0


def configured(upstream: ScriptedUpstream, **more: Toml) -> dict[str, Toml]:
    return {**relay_settings(upstream), **more}


def alias(name: str, target: str = "up/basic") -> dict[str, Toml]:
    return {"models": {name: {"target": target}}}


def asked(relay: ServerProcess, model: str, key: str = "") -> tuple[int, str]:
    """Status and text of a chat."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def listed(relay: ServerProcess) -> set[str]:
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
    connection.request("GET", "/v1/models")
    names = {model["id"] for model in json.loads(connection.getresponse().read())["data"]}
    connection.close()
    return names


def until(holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to be within {within_s} s"
        time.sleep(0.05)


def logged(relay: ServerProcess, event: str) -> list[Mapping[str, object]]:
    lines = [json.loads(line) for line in relay.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def replaced(folder: Path, settings: Mapping[str, Toml] | str) -> None:
    """Write the file as editors do: beside the old one, and then in its place."""
    (folder / "new.toml").write_text(settings if isinstance(settings, str) else toml_text(settings))
    (folder / "new.toml").replace(folder / "relay.toml")


@pytest.fixture
def watching(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[ServerProcess]:
    write_relay_toml(tmp_path, configured(upstream, **alias("old")))
    with running_server(tmp_path, "--watch") as server:
        yield server


def test_a_changed_file_is_in_force_within_two_seconds(
    watching: ServerProcess, upstream: ScriptedUpstream
) -> None:
    assert asked(watching, "old")[0] == 200
    providers: dict[str, Toml] = {"far": {"kind": "openai-compatible", "base_url": upstream.openai_url}}
    write_relay_toml(watching.folder, {"providers": providers, **alias("new", "far/basic")})
    until(lambda: asked(watching, "new")[0] == 200)
    assert asked(watching, "far/basic")[0] == 200
    assert asked(watching, "old")[0] == 404
    assert asked(watching, "up/basic")[0] == 404
    until(lambda: "far/basic" in listed(watching))
    assert {name for name in listed(watching) if not name.startswith("far/")} == {"new"}


def test_a_file_that_is_replaced_or_gone_for_a_while_is_followed(
    watching: ServerProcess, upstream: ScriptedUpstream
) -> None:
    replaced(watching.folder, configured(upstream, **alias("second")))
    until(lambda: asked(watching, "second")[0] == 200)
    (watching.folder / "relay.toml").unlink()
    until(lambda: bool(logged(watching, "configuration_refused")))
    assert "no such file" in str(logged(watching, "configuration_refused")[0]["first"])
    assert asked(watching, "second")[0] == 200
    replaced(watching.folder, configured(upstream, **alias("third")))
    until(lambda: asked(watching, "third")[0] == 200)


def test_half_of_a_file_is_not_put_in_force(watching: ServerProcess, upstream: ScriptedUpstream) -> None:
    whole = toml_text(configured(upstream, **alias("new")))
    half = whole[: whole.index("api_key") + len('api_key = "sk')]
    (watching.folder / "relay.toml").write_text(half)
    until(lambda: bool(logged(watching, "configuration_refused")))
    assert asked(watching, "old")[0] == 200
    assert "sk-up" not in watching.stderr
    (watching.folder / "relay.toml").write_text(whole)
    until(lambda: asked(watching, "new")[0] == 200)


def test_an_invalid_change_leaves_the_old_in_force_and_says_why(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    write_relay_toml(relay.folder, configured(upstream, **alias("kept")))
    assert run_cli("config", "reload", cwd=relay.folder).stdout == "reloaded\n"
    settings = toml_text(configured(upstream)).replace("sk-up-canary", "sk-new-canary-0123456789")
    write_relay_toml(
        relay.folder, f'{settings}\n[models.kept]\ntarget = "kept"\nfallbak = "sk-other-canary"\n'
    )
    line = len(settings.splitlines()) + 4
    relay.send_signal(signal.SIGHUP)
    until(lambda: bool(logged(relay, "configuration_refused")))
    said = '[models.kept] fallbak: unknown key. Did you mean "fallback"?'
    assert logged(relay, "configuration_refused")[-1]["first"] == (
        f"relay.toml:{line}:1: {said} That is not in this version: smart routers."
    )
    reload, check = (run_cli("config", word, cwd=relay.folder) for word in ("reload", "check"))
    assert (reload.returncode, check.returncode) == (4, 4)
    assert f"relay.toml:{line}:1: {said}" in reload.stderr
    assert reload.stderr.splitlines()[:3] == check.stderr.splitlines()[:3]
    assert asked(relay, "kept")[0] == 200
    assert "canary" not in relay.stderr + relay.stdout + reload.stderr + check.stderr


def test_none_of_the_mistakes_there_are_moves_a_running_relay(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    write_relay_toml(relay.folder, configured(upstream, **alias("kept")))
    control = socket_path(relay.folder / "relay.db")
    assert send(control, {"do": "config.reload"})["mistakes"] == []
    for file in MISTAKES:
        if file.stem == "base_url_is_the_relay_itself":  # it is not: this relay has another port
            continue
        shutil.copy(file, relay.folder / "relay.toml")
        answer = send(control, {"do": "config.reload"})
        (mistake,) = convert(answer["mistakes"], list[Mistake])
        said = EXPECTED[file.stem]
        assert str(mistake) == f"relay.toml:{'' if said[0].isdigit() else ' '}{said}"
        assert asked(relay, "kept")[0] == 200
    assert "canary" not in relay.stderr


def test_what_only_a_restart_can_change_is_told_and_the_rest_is_in_force(
    relay: ServerProcess, upstream: ScriptedUpstream
) -> None:
    database = {"url": "sqlite:///other.db"}
    write_relay_toml(relay.folder, configured(upstream, **alias("here")) | {"database": database})
    relay.send_signal(signal.SIGHUP)
    until(lambda: asked(relay, "here")[0] == 200)
    assert logged(relay, "configuration_needs_restart")[-1]["keys"] == ["database.url"]
    missed = run_cli("config", "reload", cwd=relay.folder)
    assert missed.returncode == 5
    assert "no relay serves other.db" in missed.stderr


def test_keys_are_demanded_and_no_more_as_the_file_says(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    write_relay_toml(tmp_path, configured(upstream))
    with running_server(tmp_path) as relay:
        assert asked(relay, "up/basic")[0] == 200
        write_relay_toml(tmp_path, configured(upstream, auth={"mode": "keys"}))
        assert run_cli("config", "reload", "--json", cwd=tmp_path).returncode == 0
        assert asked(relay, "up/basic")[0] == 401
        key = run_cli("keys", "create", "web", cwd=tmp_path).stdout.strip()
        assert asked(relay, "up/basic", key)[0] == 200
        write_relay_toml(tmp_path, configured(upstream, auth={"mode": "open"}))
        assert json.loads(run_cli("config", "reload", "--json", cwd=tmp_path).stdout)["changed"] is True
        assert asked(relay, "up/basic")[0] == 200


def test_no_reload_opens_a_listener_beyond_this_machine(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    write_relay_toml(tmp_path, configured(upstream, auth={"mode": "keys"}, server={"host": "0.0.0.0"}))
    command = relay_command("serve", "--port", "{port}")
    with running_server(tmp_path, command=command) as relay:
        assert asked(relay, "up/basic")[0] == 401
        for mode in ("open", "auto"):
            write_relay_toml(tmp_path, configured(upstream, auth={"mode": mode}, server={"host": "0.0.0.0"}))
            refused = run_cli("config", "reload", cwd=tmp_path)
            assert refused.returncode == 4
            assert "[auth] mode: would let everybody in who reaches 0.0.0.0" in refused.stderr
            assert asked(relay, "up/basic")[0] == 401


def test_a_key_in_a_file_is_read_again(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    secret = tmp_path / "key"
    secret.write_text("sk-first")
    secret.chmod(0o600)
    up: Toml = {"kind": "openai-compatible", "base_url": upstream.openai_url, "api_key": f"file:{secret}"}
    write_relay_toml(tmp_path, {"providers": {"up": up}})
    upstream.reset()
    with running_server(tmp_path) as relay:
        assert asked(relay, "up/basic")[0] == 200
        secret.write_text("sk-second")
        assert run_cli("config", "reload", cwd=tmp_path).stdout == "reloaded\n"
        assert asked(relay, "up/basic")[0] == 200
        assert run_cli("config", "reload", cwd=tmp_path).stdout == "unchanged\n"
    calls = [call for call in upstream.ledger.wait(lambda calls: True) if call.is_chat]
    assert [call.headers["authorization"] for call in calls] == ["Bearer sk-first", "Bearer sk-second"]


def test_a_storm_of_signals_is_weathered(relay: ServerProcess, upstream: ScriptedUpstream) -> None:
    for number in range(300):
        write_relay_toml(relay.folder, configured(upstream, **alias(f"storm-{number}")))
        os.kill(relay.pid, signal.SIGHUP)
    until(lambda: asked(relay, "storm-299")[0] == 200)
    assert relay.exit_code() is None
    assert not logged(relay, "background_job_failed")
