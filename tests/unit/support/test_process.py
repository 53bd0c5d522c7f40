"""The process harness starts, watches, kills and restarts a server, and never leaves one behind."""

import os
import signal
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.process import (
    ServerFailed,
    ServerProcess,
    clean_environment,
    free_port,
    port_accepts,
    run_cli,
    running_server,
)

FILES = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
"""A stand-in that is ready in no time."""

STUBBORN = """
import os, signal, socket, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, "secret", os.environ.get("RELAY_SECRET"), "given", os.environ.get("GIVEN"), flush=True)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].close()
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone_soon(pid: int) -> bool:
    deadline = time.monotonic() + 2
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


def test_it_starts_serves_restarts_and_ends(tmp_path: Path) -> None:
    with running_server(tmp_path, command=FILES, ready="/") as server:
        first = server.pid
        with urllib.request.urlopen(server.url, timeout=5) as answer:
            assert answer.status == 200
        assert server.rss_bytes() > 1_000_000
        assert server.open_fds() >= 3
        assert server.exit_code() is None
        server.restart()
        assert server.pid != first
        assert gone_soon(first)
        assert "Serving HTTP" in server.stdout
        assert "GET / HTTP/1.1" in server.stderr
        last = server.pid
    assert gone_soon(last)
    assert not port_accepts(server.port)


def test_sigterm_and_sigkill_give_their_exit_codes(tmp_path: Path) -> None:
    with running_server(tmp_path, command=FILES, ready=None) as server:
        assert server.terminate() == -signal.SIGTERM
        server.restart()
        assert server.kill() == -signal.SIGKILL
        assert server.exit_code() == -signal.SIGKILL


def test_what_ignores_sigterm_is_ended_with_its_children(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUBBORN, "{port}"]
    with running_server(tmp_path, command=command, ready=None, env={"GIVEN": "yes"}) as server:
        child = int(server.stdout.split()[1])
        server.send_signal(signal.SIGTERM)
        with pytest.raises(TimeoutError):
            server.wait(timeout_s=0.05)
        assert is_alive(child)
        pid = server.pid
    assert gone_soon(pid)
    assert gone_soon(child)


def test_it_ends_the_server_when_the_block_fails(tmp_path: Path) -> None:
    pids = []

    def fail() -> None:
        with running_server(tmp_path, command=FILES, ready=None) as server:
            pids.append(server.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert gone_soon(pids[0])


def test_a_server_that_ends_at_once_shows_what_it_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such disk')"]
    with pytest.raises(ServerFailed, match=r"(?s)ended with 1.*no such disk"):
        running_server(tmp_path, command=command).__enter__()


def test_a_server_that_never_gets_ready_is_ended(tmp_path: Path) -> None:
    late = running_server(tmp_path, command=FILES, ready="/nowhere", start_deadline_s=0.3)
    with pytest.raises(ServerFailed, match="still not ready"):
        late.__enter__()
    assert "code 404" in (tmp_path / "stderr.log").read_text("utf-8")


def test_without_a_command_it_is_the_relay_that_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServerProcess, "start", lambda server: None)
    with running_server(tmp_path, "--config", "x.toml") as server:
        command = list(server.command)
    assert command[:4] == [sys.executable, "-m", "relay", "serve"]
    assert command[-2:] == ["--config", "x.toml"]
    assert command[command.index("--port") + 1] == "{port}"


def test_nothing_that_configures_a_relay_reaches_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["OPENAI_API_KEY", "GROQ_BASE_URL", "OLLAMA_HOST", "RELAY_CONFIG", "DATABASE_URL", "https_proxy"]
    for name in [*names, "GEMINI_API_KEY_FILE", "OTEL_EXPORTER_OTLP_ENDPOINT", "HARMLESS"]:
        monkeypatch.setenv(name, "x")
    cleaned = clean_environment(tmp_path, {"RELAY_ADMIN_PORT": "1"})
    assert not set(names) & set(cleaned)
    assert "GEMINI_API_KEY_FILE" not in cleaned
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in cleaned
    assert (cleaned["HARMLESS"], cleaned["RELAY_ADMIN_PORT"]) == ("x", "1")
    assert cleaned["XDG_CONFIG_HOME"].startswith(str(tmp_path))
    assert cleaned["PATH"] == os.environ["PATH"]


def test_a_sub_command_runs_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys; print(sys.argv[1:], sys.stdin.read()); sys.exit(3)"
    monkeypatch.setattr(
        "tests.support.process.relay_command", lambda *args: [sys.executable, "-c", program, *args]
    )
    done = run_cli("usage", "--json", cwd=tmp_path, stdin="typed")
    assert (done.returncode, done.stdout) == (3, "['usage', '--json'] typed\n")


def test_free_ports_are_free_and_never_handed_out_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert not port_accepts(ports[0])
