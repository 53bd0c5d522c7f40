"""The start: what it loads, what it costs in time and memory, compared with the libraries beneath it."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.starting import UNASKED, YOUNG_OBJECTS
from tests.support.process import ServerProcess, clean_environment, relay_command, running_server
from tests.support.processor_time import medians, processor_s, processor_s_of

pytestmark = pytest.mark.e2e

MAX_VERSION_RATIO = 3.5
"""`relay --version` to `import click`, which it cannot do without."""

LIBRARIES = (sys.executable, "-c", "import litestar, sqlalchemy.ext.asyncio")
LIBRARIES_S = 0.65
"""What these imports take on the machine the limits below were set on."""

MAX_SERVE_RATIO = 2.0
"""Start to first answer, to these imports alone, in processor time."""

MAX_FIRST_ANSWER_S = 2.0
MAX_IDLE_BYTES = 100 * 10**6
MAX_MODULES = 1150
STARTS = 3

PROBE = """
import gc, json, os, signal, sys
from relay.programs import CommandPrograms

def started(server):
    seen = dict(modules=list(sys.modules), frozen=gc.get_freeze_count(), threshold=gc.get_threshold())
    print(json.dumps(seen | dict(enabled=gc.isenabled())))
    os.kill(os.getpid(), signal.SIGTERM)

programs = CommandPrograms(os.environ)
settings = programs.settings(None, {"server": {"port": 0}})
programs.serve(settings, insecure=False, watch=False, started=started)
"""


def seen_at_the_start(folder: Path) -> dict[str, Any]:
    """What a serving process looks like from within, right after it has said that it serves."""
    command = [sys.executable, "-c", PROBE]
    probe = subprocess.run(
        command, cwd=folder, env=clean_environment(folder), capture_output=True, text=True, check=False
    )
    assert probe.returncode == 0, probe.stderr
    seen: dict[str, Any] = json.loads(probe.stdout)
    return seen


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The second start: the first one makes the database."""
    folder = tmp_path_factory.mktemp("probe")
    assert "alembic" in seen_at_the_start(folder)["modules"]
    return seen_at_the_start(folder)


def test_the_version_takes_little_more_than_click_itself(tmp_path: Path) -> None:
    commands = [relay_command("--version"), [sys.executable, "-c", "import click"]]
    version_s, click_s = medians(commands, tmp_path, rounds=7)
    print(f"relay --version {version_s * 1000:.0f} ms, import click {click_s * 1000:.0f} ms")
    assert version_s / click_s < MAX_VERSION_RATIO


def test_a_server_loads_nothing_that_it_does_not_use(seen: dict[str, Any]) -> None:
    loaded = {name.partition(".")[0] for name in seen["modules"]}
    others = {"alembic", "asyncpg", "h11", "httpx2", "jinja2", "mako", "pygments", "redis"}
    assert loaded & {*UNASKED, *others} == set()
    assert loaded >= {"litestar", "sqlalchemy", "uvloop"}


def test_a_server_loads_a_bounded_number_of_modules(seen: dict[str, Any]) -> None:
    print(f"{len(seen['modules'])} modules")
    assert len(seen["modules"]) <= MAX_MODULES


def test_what_was_built_at_the_start_is_never_collected_again(seen: dict[str, Any]) -> None:
    assert seen["frozen"] > 50_000
    assert seen["threshold"][0] == YOUNG_OBJECTS
    assert seen["enabled"]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[ServerProcess]:
    folder = tmp_path / "relay"
    with running_server(folder) as server:
        yield server


def test_a_server_answers_soon_after_its_start(relay: ServerProcess, tmp_path: Path) -> None:
    processor_s(LIBRARIES, tmp_path)
    starts, walls, libraries = [], [], []
    for _ in range(STARTS):
        relay.terminate()
        began = time.monotonic()
        relay.restart()
        walls.append(time.monotonic() - began)
        starts.append(processor_s_of(relay.pid))
        libraries.append(processor_s(LIBRARIES, tmp_path))
    started_s, libraries_s = statistics.median(starts), statistics.median(libraries)
    print(
        f"first answer after {min(walls):.2f} s, {started_s:.2f} s of processor time, "
        f"{started_s / libraries_s:.2f} of {libraries_s:.2f} s for the libraries alone"
    )
    assert started_s / libraries_s < MAX_SERVE_RATIO
    assert min(walls) < MAX_FIRST_ANSWER_S * max(1.0, libraries_s / LIBRARIES_S)


def test_an_idle_server_is_small(relay: ServerProcess) -> None:
    first = pss_bytes(relay.pid)
    relay.restart()
    later = pss_bytes(relay.pid)
    print(f"idle: {first / 1e6:.0f} MB after the first start, {later / 1e6:.0f} MB after a later one")
    assert max(first, later) < MAX_IDLE_BYTES


def pss_bytes(pid: int) -> int:
    """Memory of a process, what it shares with others counted by its share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"the kernel does not tell the memory of {pid}")
