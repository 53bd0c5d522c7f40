"""Starts the gateways as processes on their core, waits for their first right answer, and ends them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.programs import pinned

START_S = 90.0
STOP_S = 10.0
POLL_S = 0.01
SETTLED_S = 1.0
"""How long after its first answer a process is left alone before its idle memory is read."""

GATEWAY_CORE = 1
LOAD_CORE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started process; `first_answer_s` is the time from its start to its first right answer."""

    pid: int
    first_answer_s: float


class NotStarted(Exception):
    """A process ended or gave no right answer in time."""


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def plain_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without what configures a relay, and with bytecode kept."""
    ours = ("RELAY_", "OTEL_")
    endings = ("_API_KEY", "_BASE_URL", "_PROXY")
    others = ("PYTHONDONTWRITEBYTECODE", "OLLAMA_HOST", "DATABASE_URL")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(ours) and not name.upper().endswith(endings) and name not in others
    }
    return {**kept, **(extra or {})}


@contextmanager
def process(
    command: Sequence[str],
    *,
    folder: Path,
    core: int,
    url: str = "",
    headers: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Run a command until the block ends; with `url`, first wait until it answers a chat. Raises `NotStarted`."""
    begun = time.perf_counter()
    with (folder / "out.log").open("ab") as log:
        child = subprocess.Popen(
            pinned(core, *command),
            cwd=folder,
            env=plain_environment({"XDG_CONFIG_HOME": str(folder), **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        if url:
            _await_answer(child, url, headers, folder)
        yield Running(pid=child.pid, first_answer_s=time.perf_counter() - begun)
    finally:
        _end(child)


def idle_pss_mb(pid: int) -> float:
    """Memory of a process and its descendants, each shared page divided among those that share it; in MB."""
    pages = 0
    for member in _tree(pid):
        with suppress(OSError):
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
            pages += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return pages * 1024 / 1e6


def accepts(port: int) -> bool:
    """Whether somebody comes to listen there within a few seconds."""
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(POLL_S)
    return False


def _await_answer(child: subprocess.Popen[bytes], url: str, headers: Sequence[str], folder: Path) -> None:
    said = "nothing listens"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and child.poll() is None:
        try:
            status, body = _asked(url, headers)
        except (OSError, http.client.HTTPException):
            time.sleep(POLL_S)
            continue
        if status == 200:
            return
        said = f"{status} {body}"
        time.sleep(POLL_S)
    code = child.poll()
    log = (folder / "out.log").read_text("utf-8", "replace")[-1500:]
    raise NotStarted(f"{said if code is None else f'ended with {code}'}\n{log}")


def _asked(url: str, headers: Sequence[str]) -> tuple[int, str]:
    authority, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(authority, timeout=30)
    try:
        fields = dict(line.split(": ", 1) for line in headers)
        body = {"model": "mock", "stream": False, "messages": [{"role": "user", "content": "hello"}]}
        connection.request(
            "POST", f"/{path}", json.dumps(body), {"content-type": "application/json", **fields}
        )
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")[:300]
    finally:
        connection.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    """At once: nothing that a gateway would still write is wanted."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(STOP_S)


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        found.append(pid := waiting.pop())
        waiting += children.get(pid, [])
    return found
