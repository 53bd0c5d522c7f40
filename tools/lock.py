"""Writes exact versions of every requirement, direct and transitive, without naming where they are fetched.

`uv.lock` names download addresses, so it stays out of the repository. What is kept instead is the list of
versions, as constraints in `pyproject.toml` that any `uv sync` obeys, and `requirements.txt` with hashes for an
image. The resolving happens in a temporary copy, so a failure leaves everything as it was.

Standard library only: it must run when the present pins cannot be resolved.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGE_EXTRAS = ("server", "postgres")
PINS = "constraint-dependencies"
BUILD_PINS = "build-constraint-dependencies"


def with_list(pyproject: str, key: str, items: Iterable[str]) -> str:
    """`pyproject` with the multi-line list `key` holding exactly `items`. Raises `ValueError` if it has none."""
    body = "".join(f'    "{item}",\n' for item in items)
    written, count = re.subn(
        rf"^{re.escape(key)} = \[\n(?:    .*\n)*\]$",
        lambda _: f"{key} = [\n{body}]",
        pyproject,
        flags=re.MULTILINE,
    )
    if count != 1:
        raise ValueError(f"pyproject.toml has {count} lists {key!r}, not one")
    return written


def constraints(exported: str) -> list[str]:
    """One exact version per requirement of an export; markers only where one name has several versions."""
    pins = [line.split(" ; ") for line in exported.splitlines() if line and not line.startswith(("#", " "))]
    names = [pin[0].partition("==")[0] for pin in pins]
    return sorted(
        " ; ".join(pin) if names.count(name) > 1 else pin[0] for name, pin in zip(names, pins, strict=True)
    )


def uv(folder: Path, *arguments: str, text: str | None = None) -> str:
    """What `uv` prints when run in `folder`. Raises `subprocess.CalledProcessError`; its complaint is shown."""
    command = ("uv", *arguments, "--quiet")
    return subprocess.run(
        command, cwd=folder, input=text, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def resolve(folder: Path, pyproject: str, *, upgrade: bool) -> None:
    """Make a fresh `uv.lock` in `folder`; without `upgrade` the versions pinned so far are preferred."""
    project = folder / "pyproject.toml"
    if not upgrade:
        project.write_text(pyproject)
        try:
            uv(folder, "lock")
        except subprocess.CalledProcessError:
            print("the present pins cannot be kept: taking the newest versions that fit")
    project.write_text(with_list(with_list(pyproject, PINS, ()), BUILD_PINS, ()))
    uv(folder, "lock", *(["--upgrade"] if upgrade else []))


def build_constraints(folder: Path, pyproject: str, *, upgrade: bool) -> list[str]:
    """Exact versions of what builds the wheel."""
    settings = tomllib.loads(pyproject)
    kept = [] if upgrade else settings["tool"]["uv"][BUILD_PINS]
    wanted = "\n".join((*settings["build-system"]["requires"], *kept))
    oldest = settings["project"]["requires-python"].removeprefix(">=")
    bare = ("--universal", "--python-version", oldest, "--no-header", "--no-annotate")
    return constraints(uv(folder, "pip", "compile", "-", *bare, text=wanted))


def main() -> None:
    """Resolve, then write `pyproject.toml` and `requirements.txt`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade: bool = parser.parse_args().upgrade
    pyproject = (ROOT / "pyproject.toml").read_text()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("README.md", "LICENSE", ".python-version"):
            shutil.copy(ROOT / file, folder)
        resolve(folder, pyproject, upgrade=upgrade)
        bare = ("--frozen", "--no-emit-project", "--no-header", "--no-annotate")
        everything = uv(folder, "export", *bare, "--all-extras", "--all-groups", "--no-hashes")
        extras = [word for extra in IMAGE_EXTRAS for word in ("--extra", extra)]
        image = uv(folder, "export", *bare, "--no-default-groups", *extras)
        build = build_constraints(folder, pyproject, upgrade=upgrade)
    pins = constraints(everything)
    (ROOT / "pyproject.toml").write_text(with_list(with_list(pyproject, PINS, pins), BUILD_PINS, build))
    (ROOT / "requirements.txt").write_text(image)
    print(f"{len(pins)} requirements pinned, {len(build)} more for building")


if __name__ == "__main__":
    main()
