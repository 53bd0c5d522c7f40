"""Who may import whom: the hexagon's layers, the pure domain, and one importer per foreign library."""

import subprocess
import sys
from pathlib import Path

import pytest

from relay.adapters.outbound.storage.schema import bring_up
from tests.architecture import rules
from tests.architecture.repository import ROOT, python_files, tree
from tests.support.process import clean_environment

HEAVY = frozenset(
    {
        "advanced_alchemy",
        "alembic",
        "anyio",
        "asyncio",
        "httpx2",
        "litestar",
        "msgspec",
        "relay.domain",
        "relay.settings",
        "rich.console",
        "sqlalchemy",
        "structlog",
        "uvicorn",
    }
)
"""What a command that reads no configuration and calls nobody can do without."""


def test_the_layers_hold() -> None:
    lint = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as r; r()", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_every_domain_module_imports_on_a_bare_interpreter() -> None:
    """`-I -S` removes site-packages, so an import of anything installed fails."""
    program = (
        "import sys, pkgutil, importlib; sys.path.insert(0, sys.argv[1]); import relay.domain as domain; "
        "names = [module.name for module in pkgutil.walk_packages(domain.__path__, 'relay.domain.')]; "
        "[importlib.import_module(name) for name in names]; print(len(names))"
    )
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(ROOT / "src")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bare.returncode == 0, bare.stderr
    assert int(bare.stdout) == len(python_files("src/relay/domain")) - 1


def test_the_application_knows_the_domain_and_anyio_only() -> None:
    found = [
        f"{name}:{offence}"
        for name in python_files("src/relay/application")
        for offence in rules.foreign_imports(tree(name), "relay.domain", "relay.application", "anyio")
    ]
    assert found == []


def test_dialects_know_the_domain_and_msgspec_only() -> None:
    found = [
        f"{name}:{offence}"
        for name in python_files("src/relay/adapters/dialects")
        for offence in rules.foreign_imports(tree(name), "relay.domain", "relay.adapters.dialects", "msgspec")
    ]
    assert found == []


def test_nothing_imports_the_unmaintained_http_client() -> None:
    found = [
        f"{name}:{line}: {module}"
        for name in python_files()
        for line, module in rules.imported(tree(name))
        if module.split(".")[0] == "httpx"
    ]
    assert found == []


def test_the_package_itself_imports_nothing() -> None:
    assert not list(rules.imported(tree("src/relay/__init__.py")))


@pytest.mark.parametrize(
    ("arguments", "allowed", "most"),
    [
        (("--version",), set(), 160),
        (("--help",), {"rich.console"}, 296),
        (("keys", "--help"), {"rich.console", "msgspec", "relay.domain", "relay.settings"}, 355),
        (("config", "check"), {"msgspec", "relay.domain", "relay.settings", "anyio", "asyncio"}, 340),
    ],
)
def test_a_command_loads_what_it_needs_alone(
    arguments: tuple[str, ...], allowed: set[str], most: int, tmp_path: Path
) -> None:
    """The most modules are those of today and a fifth more; the interpreter's own vary with its version."""
    loaded = loaded_by("-m", "relay", *arguments, folder=tmp_path)
    assert loaded & HEAVY <= allowed
    assert len(loaded) <= most, len(loaded)


@pytest.mark.parametrize("arguments", [("keys", "list"), ("usage",)])
def test_a_command_that_reads_the_books_loads_no_web_framework(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    bring_up(tmp_path / "relay.db")
    loaded = loaded_by("-m", "relay", *arguments, folder=tmp_path)
    assert "sqlalchemy" in loaded
    assert loaded & {"advanced_alchemy", "alembic", "httpx2", "litestar", "structlog", "uvicorn"} == set()


def loaded_by(*arguments: str, folder: Path) -> set[str]:
    """The modules that a run of this interpreter imports."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    lines = (line for line in ran.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}
