"""The npm packages of `tests/e2e/node` in one Node.js process, called from Python."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.architecture.repository import ROOT

SCRIPTS = ROOT / "tests" / "e2e" / "node"
OLDEST_NODE = 20


@dataclass
class Failure(Exception):
    """What the package threw, and the text it had brought until then."""

    told: dict[str, Any]


@dataclass
class NodeClients:
    """The process that holds the packages."""

    process: subprocess.Popen[str]

    def __call__(self, client: str, doing: str, **asked: Any) -> Any:
        """What came of one call. Raises `Failure`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(
            json.dumps({"client": client, "doing": doing, "asked": asked}),
            file=self.process.stdin,
            flush=True,
        )
        result = json.loads(self.process.stdout.readline())
        if "error" in result:
            raise Failure(result["error"])
        return result["value"]


def needed() -> str:
    """What this machine lacks; empty when nothing."""
    node = shutil.which("node")
    version = subprocess.run([node, "-v"], capture_output=True, text=True, check=False).stdout if node else ""
    if not version or int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"needs Node.js {OLDEST_NODE} or newer"
    wanted = json.loads((SCRIPTS / "package.json").read_text("utf-8"))["dependencies"]
    if not all((SCRIPTS / "node_modules" / package).is_dir() for package in wanted):
        return "needs the packages of tests/e2e/node, which `make setup` installs"
    return ""


@contextmanager
def running_node_clients(url: str) -> Iterator[NodeClients]:
    """The packages pointed at this address; the test is skipped where they are not installed."""
    if lack := needed():
        pytest.skip(lack)
    command = ["node", "session.mjs", url]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=SCRIPTS, stdin=pipe, stdout=pipe, text=True, encoding="utf-8"
    ) as process:
        yield NodeClients(process)
