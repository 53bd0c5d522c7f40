"""Runs the scripted upstream beside the test: in a thread of its own, or in a process of its own."""

import asyncio
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from tests.support.process import ServerProcess, running_server
from tests.support.upstream.ledger import Call, read_ledger
from tests.support.upstream.server import ScriptedUpstream

START_DEADLINE_S = 10.0
REPOSITORY = Path(__file__).resolve().parents[3]


@contextmanager
def running_upstream(upstream: ScriptedUpstream | None = None) -> Iterator[ScriptedUpstream]:
    """Serve from a thread; its ledger can be read, and it can be reset, from the test's thread."""
    upstream = upstream or ScriptedUpstream()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        async with upstream:
            stop = asyncio.Event()
            started.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = Thread(target=run, name="scripted-upstream", daemon=True)
    thread.start()
    loop, stop = started.result(START_DEADLINE_S)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_DEADLINE_S)


@dataclass(frozen=True)
class UpstreamProcess:
    """A scripted upstream that outlives whatever happens to the test's process or to the relay."""

    server: ServerProcess
    ledger_file: Path

    @property
    def base_url(self) -> str:
        return self.server.url

    @property
    def openai_url(self) -> str:
        return f"{self.server.url}/v1"

    @property
    def chats(self) -> list[Call]:
        """The chat calls in its ledger file; a call in flight shows as it was when it arrived."""
        return [call for call in read_ledger(self.ledger_file) if call.is_chat]


@contextmanager
def upstream_process(folder: Path) -> Iterator[UpstreamProcess]:
    """Serve from a process that writes its ledger to `upstream.jsonl` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger_file = folder / "upstream.jsonl"
    command = [
        sys.executable,
        "-m",
        "tests.support.upstream",
        "--port",
        "{port}",
        "--ledger",
        str(ledger_file),
    ]
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    with running_server(folder, command=command, ready="/api/version", env={"PYTHONPATH": path}) as server:
        yield UpstreamProcess(server, ledger_file)
