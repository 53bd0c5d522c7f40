"""Runs the real server as a process of its own, watches it from outside, and ends it whatever happens."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

POLL_S = 0.02
STOP_DEADLINE_S = 10.0
START_DEADLINE_S = 30.0

_handed_out: set[int] = set()


class ServerFailed(RuntimeError):
    """The server ended, or did not get ready in time."""


def free_port() -> int:
    """A port nobody listens on, and that this process has not been given before."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _handed_out:
            _handed_out.add(port)
            return port
    raise OSError("no free port found")


def clean_environment(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The test's environment without anything that configures a relay, plus `env`.

    The user's configuration folder is moved into the test's folder.
    """
    kept = {name: value for name, value in os.environ.items() if not _configures_a_relay(name.upper())}
    return {**kept, "XDG_CONFIG_HOME": str(folder / ".config"), "PYTHONUNBUFFERED": "1", **(env or {})}


def _configures_a_relay(name: str) -> bool:
    endings = ("_API_KEY", "_API_KEY_FILE", "_BASE_URL", "_PROXY")
    return (
        name.endswith(endings)
        or name.startswith(("RELAY_", "OTEL_"))
        # A server that may not keep its bytecode takes seconds longer at every start.
        or name in ("OLLAMA_HOST", "DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
    )


def relay_command(*args: str) -> list[str]:
    """The command line of the relay in this very interpreter."""
    return [sys.executable, "-m", "relay", *args]


def run_cli(
    *args: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_s: float = 30.0,
) -> subprocess.CompletedProcess[str]:
    """Run a sub-command of `relay` to its end and capture what it prints."""
    return subprocess.run(
        relay_command(*args),
        cwd=cwd,
        env=clean_environment(cwd, env),
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@dataclass
class ServerProcess:
    """A server process; `{port}` in its command stands for the port."""

    folder: Path
    command: Sequence[str]
    port: int
    env: Mapping[str, str] = field(default_factory=dict)
    ready: str | None = "/health/ready"
    start_deadline_s: float = START_DEADLINE_S
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def stdout(self) -> str:
        """Everything printed so far, over all starts."""
        return self._read("stdout.log")

    @property
    def stderr(self) -> str:
        return self._read("stderr.log")

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        if self._process is not None:
            raise ServerFailed("it is running already")
        command = [part.replace("{port}", str(self.port)) for part in self.command]
        with (self.folder / "stdout.log").open("ab") as out, (self.folder / "stderr.log").open("ab") as err:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=clean_environment(self.folder, self.env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._wait_until_ready()

    def wait(self, timeout_s: float = STOP_DEADLINE_S) -> int:
        """Wait for the process to end by itself; its exit code, or minus the signal that killed it."""
        deadline = time.monotonic() + timeout_s
        while (code := self.exit_code()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} still runs after {timeout_s} s")
            time.sleep(POLL_S)
        return code

    def exit_code(self) -> int | None:
        """None while it runs.

        The process is only looked at, not reaped, so that its process group stays its own until `close`.
        """
        seen = os.waitid(os.P_PID, self._running().pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if seen is None:
            return None
        return seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the process alone, not those it started."""
        os.kill(self.pid, number)

    def terminate(self, timeout_s: float = STOP_DEADLINE_S) -> int:
        """Ask it to stop and wait for it; the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> int:
        """Kill it with SIGKILL, at once."""
        self.send_signal(signal.SIGKILL)
        return self.wait()

    def restart(self) -> None:
        """Start again on the same port; stop it first if it still runs."""
        if self._process is not None and self.exit_code() is None:
            self.terminate()
        self.close()
        self.start()

    def close(self) -> None:
        """End the process and everything it started, by force."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_DEADLINE_S)

    def rss_bytes(self) -> int:
        """Resident memory, as Linux counts it."""
        for line in Path(f"/proc/{self.pid}/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerFailed(f"process {self.pid} has ended")

    def open_fds(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("it has not been started")
        return self._process

    def _read(self, name: str) -> str:
        file = self.folder / name
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.start_deadline_s
        while not self._is_ready():
            code = self.exit_code()
            if code is not None or time.monotonic() > deadline:
                what = "still not ready" if code is None else f"ended with {code}"
                raise ServerFailed(f"{what}\n{self.stdout[-2000:]}\n{self.stderr[-4000:]}")
            time.sleep(POLL_S)

    def _is_ready(self) -> bool:
        if self.ready is None:
            return port_accepts(self.port)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2.0)
        try:
            connection.request("GET", self.ready)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def port_accepts(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def running_server(
    folder: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    ready: str | None = "/health/ready",
    port: int | None = None,
    start_deadline_s: float = START_DEADLINE_S,
) -> Iterator[ServerProcess]:
    """Run `relay serve` with these further arguments, or the command, in the folder; ready None waits for the port.

    The caller's thread is blocked while it starts: what the server calls meanwhile must run elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    serve = relay_command("serve", "--host", "127.0.0.1", "--port", "{port}", *args)
    server = ServerProcess(folder, command or serve, port, env or {}, ready, start_deadline_s)
    try:
        server.start()
        yield server
    finally:
        server.close()
