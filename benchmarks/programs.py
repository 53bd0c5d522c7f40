"""The programs that a run needs: which are there, and ours built from source where that is newer."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"


class Missing(Exception):
    """Something is not there, or cannot be built; its text says what."""


def found(name: str, *elsewhere: str) -> str:
    """The path of an installed program. Raises `Missing`."""
    path = shutil.which(name) or next((other for other in elsewhere if Path(other).is_file()), None)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def nginx() -> str:
    """nginx, which Debian installs where only root's PATH leads. Raises `Missing`."""
    return found("nginx", "/usr/sbin/nginx")


def compiled_c(name: str) -> Path:
    """The program made of `NAME.c`. Raises `Missing`."""
    source, made = HERE / f"{name}.c", BUILD / name
    if _is_stale(made, source):
        _build(made, [found("cc", "/usr/bin/gcc"), "-O2", "-Wall", str(source)])
    return made


def compiled_go(name: str) -> Path:
    """The program made of `NAME.go`. Raises `Missing`."""
    source, made = HERE / f"{name}.go", BUILD / name
    if _is_stale(made, source):
        _build(made, [found("go"), "build"], str(source))
    return made


def certificate() -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key. Raises `Missing`."""
    cert, key = BUILD / "tls.crt", BUILD / "tls.key"
    if not (cert.exists() and key.exists()):
        BUILD.mkdir(exist_ok=True)
        subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "3650"]
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
        _run([found("openssl"), "req", "-x509", *new_key, *subject, "-out", str(cert)])
    return cert, key


def pinned(core: int, *command: str) -> list[str]:
    """The command on one core; unpinned where there is no `taskset`, as its absence is told at the start."""
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(core), *command] if taskset else list(command)


def versions(litellm: Path | None) -> dict[str, str]:
    """The versions of what was measured, as far as it is installed."""
    commands = {"nginx": ["nginx", "-v"], "go": ["go", "version"]}
    told = {"python": sys.version.split()[0]}
    for name, (program, *options) in commands.items():
        path = shutil.which(program) or shutil.which(program, path="/usr/sbin")
        if path:
            run = subprocess.run([path, *options], capture_output=True, text=True, check=False)
            number = re.search(r"\d+(\.\d+)+", run.stdout + run.stderr)
            told[name] = number[0] if number else "of unknown version"
    if litellm:
        ask = [
            str(litellm / "bin" / "python"),
            "-c",
            "import importlib.metadata as m; print(m.version('litellm'))",
        ]
        told["litellm"] = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    return told


def _is_stale(made: Path, source: Path) -> bool:
    BUILD.mkdir(exist_ok=True)
    return not made.exists() or made.stat().st_mtime < source.stat().st_mtime


def _build(made: Path, compiler: list[str], *last: str) -> None:
    """Under a name of its own first: another run may be using, or making, the same program."""
    fresh = made.with_name(f"{made.name}-{os.getpid()}")
    _run([*compiler, "-o", str(fresh), *last])
    fresh.replace(made)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
