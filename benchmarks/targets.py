"""The gateways under test: how each is set up and started, and where it is asked."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.configurations import litellm_yaml, nginx_conf, relay_toml
from benchmarks.processes import (
    GATEWAY_CORE,
    LOAD_CORE,
    NotStarted,
    accepts,
    free_port,
    plain_environment,
    process,
)
from benchmarks.programs import HERE, Missing, certificate, compiled_c, compiled_go, nginx
from benchmarks.scenarios import Dialect

CHAT_PATH = "/v1/chat/completions"
OLLAMA_PATH = "/api/chat"
LAB = "benchmarks.lab_relay"
TRUSTED = "BENCH_TRUSTED_CERTIFICATE"
"""The variable that `lab_relay` reads: it is not imported here, as that would import the relay."""

WIDE = 4096
"""Requests at a time, where a scenario has more than the relay ships with room for."""

_BASES = {"anthropic": "", "gemini": "/v1beta"}
"""Where the paths of a kind begin, when not at `/v1`."""

MANY_MODELS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to ask, and whose processor time counts: `pid` is None for the mock itself."""

    name: str
    url: str
    headers: tuple[str, ...] = ()
    dialect: Dialect = "openai"
    pid: int | None = None
    first_answer_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to find what is measured: checkouts of the relay, and an environment with LiteLLM."""

    source: Path = HERE.parent
    before: Path | None = None
    litellm: Path | None = None


class Fleet:
    """The targets of one run, each started when it is first asked for and ended with the run."""

    def __init__(self, stack: ExitStack, places: Places) -> None:
        self._stack = stack
        self._places = places
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._mock_port = free_port()
        self._started: dict[str, Target | Missing | NotStarted] = {}
        self._tls_port = 0
        self._start_mock()

    def target(self, name: str) -> Target:
        """The target of this name, started. Raises `Missing` and `NotStarted`."""
        if name not in self._started:
            try:
                self._started[name] = self._start(name)
            except (Missing, NotStarted) as error:
                self._started[name] = error
        if isinstance(found := self._started[name], Target):
            return found
        raise found

    def started_relay(self, stack: ExitStack) -> Target:
        """A relay of its own, for who wants to see it start; it ends with `stack`. Raises `NotStarted`."""
        return self._relay(stack, f"start-{free_port()}")

    def _start(self, name: str) -> Target:
        stack = self._stack
        starters: dict[str, Callable[[], Target]] = {
            "direct": lambda: Target(name="direct", url=self._mock_url(CHAT_PATH)),
            "nginx": lambda: self._nginx(name, self._mock_port),
            "nginx-tls": lambda: self._nginx(name, self._tls(), scheme="https"),
            "go": self._go,
            "relay": lambda: self._relay(stack, name),
            "relay-ollama": self._relay_ollama,
            "relay-anthropic": lambda: self._relay(stack, name, kind="anthropic"),
            "relay-gemini": lambda: self._relay(stack, name, kind="gemini"),
            "relay-tap": lambda: self._relay(stack, name, kind="openai"),
            "relay-10000": lambda: self._relay(stack, name, fillers=MANY_MODELS),
            "relay-wide": lambda: self._relay(stack, name, room=WIDE),
            "before": lambda: self._relay(stack, name, source=self._before()),
            "relay-tls": lambda: self._relay(stack, name, module=LAB, tls_port=self._tls()),
            "litellm": self._litellm_proxy,
        }
        return starters[name]()

    def _mock_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._mock_port}{path}"

    def _own_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _start_mock(self) -> None:
        program = str(compiled_c("mock"))
        folder = self._own_folder("mock")
        self._stack.enter_context(process([program, str(self._mock_port)], folder=folder, core=LOAD_CORE))
        if not accepts(self._mock_port):
            raise NotStarted((folder / "out.log").read_text("utf-8", "replace"))

    def _nginx(self, name: str, upstream: int, *, scheme: str = "http") -> Target:
        folder, port = self._own_folder(name), free_port()
        command = _nginx_command(folder, nginx_conf(folder, port, upstream, scheme=scheme))
        target = Target(name=name, url=f"http://127.0.0.1:{port}{CHAT_PATH}")
        return _serving(self._stack, target, command, folder)

    def _tls(self) -> int:
        """The port of a TLS front before the mock."""
        if not self._tls_port:
            folder, port = self._own_folder("tls"), free_port()
            front = nginx_conf(folder, port, self._mock_port, certificate=certificate())
            command = _nginx_command(folder, front)
            self._stack.enter_context(process(command, folder=folder, core=LOAD_CORE))
            if not accepts(port):
                raise NotStarted((folder / "out.log").read_text("utf-8", "replace"))
            self._tls_port = port
        return self._tls_port

    def _go(self) -> Target:
        port, key = free_port(), "sk-bench"
        command = [str(compiled_go("gateway")), f"127.0.0.1:{port}", self._mock_url(CHAT_PATH), key]
        target = Target(name="go", url=f"http://127.0.0.1:{port}{CHAT_PATH}", headers=_bearer(key))
        return _serving(self._stack, target, command, self._own_folder("go"))

    def _relay(
        self,
        stack: ExitStack,
        name: str,
        *,
        kind: str = "openai-compatible",
        fillers: int = 0,
        room: int = 0,
        module: str = "relay",
        tls_port: int = 0,
        source: Path | None = None,
    ) -> Target:
        folder, port = self._own_folder(name), free_port()
        base = _BASES.get(kind, "/v1")
        upstream = f"https://127.0.0.1:{tls_port}{base}" if tls_port else self._mock_url(base)
        (folder / "relay.toml").write_text(relay_toml(port, upstream, kind=kind, fillers=fillers, room=room))
        path = os.pathsep.join((str((source or self._places.source) / "src"), str(HERE.parent)))
        target = Target(
            name=name,
            url=f"http://127.0.0.1:{port}{CHAT_PATH}",
            headers=_bearer(_relay_key(folder, path)),
        )
        serve = [sys.executable, "-m", module, "--config", str(folder / "relay.toml"), "serve"]
        trust = {TRUSTED: str(certificate()[0])} if tls_port else {}
        return _serving(stack, target, serve, folder, PYTHONPATH=path, **trust)

    def _relay_ollama(self) -> Target:
        relay = self.target("relay")
        url = relay.url.replace(CHAT_PATH, OLLAMA_PATH)
        return replace(relay, name="relay-ollama", url=url, dialect="ollama")

    def _before(self) -> Path:
        if self._places.before is None:
            raise Missing("no --before DIR was given")
        return self._places.before

    def _litellm_proxy(self) -> Target:
        if self._places.litellm is None:
            raise Missing("no --litellm VENV was given")
        program = self._places.litellm / "bin" / "litellm"
        if not program.is_file():
            raise Missing(f"{program} is not there")
        folder, port = self._own_folder("litellm"), free_port()
        (folder / "litellm.yaml").write_text(litellm_yaml(self._mock_url("/v1")))
        target = Target(
            name="litellm", url=f"http://127.0.0.1:{port}{CHAT_PATH}", headers=_bearer("sk-bench")
        )
        options = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--run_granian"]
        path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return _serving(
            self._stack,
            target,
            [str(program), "--config", str(folder / "litellm.yaml"), *options],
            folder,
            PATH=path,
            LITELLM_LOG="ERROR",
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            LITELLM_MASTER_KEY="sk-bench",
        )


def _serving(stack: ExitStack, target: Target, command: Sequence[str], folder: Path, **env: str) -> Target:
    """The target with the process that the command starts, which ends with `stack`."""
    running = stack.enter_context(
        process(command, folder=folder, core=GATEWAY_CORE, url=target.url, headers=target.headers, env=env)
    )
    return replace(target, pid=running.pid, first_answer_s=running.first_answer_s)


def _bearer(key: str) -> tuple[str, ...]:
    return (f"Authorization: Bearer {key}",)


def _relay_key(folder: Path, path: str) -> str:
    command = ["-m", "relay", "--config", str(folder / "relay.toml"), "keys", "create", "bench"]
    run = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=plain_environment({"XDG_CONFIG_HOME": str(folder), "PYTHONPATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )
    key = next((word for word in run.stdout.split() if word.startswith("lr_")), "")
    if run.returncode or not key:
        raise NotStarted(f"no key was made: {run.stderr[-1000:]}")
    return key


def _nginx_command(folder: Path, configuration: str) -> list[str]:
    (folder / "nginx.conf").write_text(configuration)
    return [nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf")]
