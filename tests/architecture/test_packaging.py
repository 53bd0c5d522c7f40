"""The wheel holds what an installed relay needs and nothing else, and its base installs without a server."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, files

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

EMBEDDED = """
import importlib, pkgutil
import relay.domain, relay.adapters.dialects
from importlib.util import find_spec

packages = (relay.domain, relay.adapters.dialects)
names = [
    module.name
    for package in packages
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
]
for name in names:
    importlib.import_module(name)
assert find_spec("litestar") is None and find_spec("sqlalchemy") is None, "the base requires a server"
print(*names)
"""


def uv(*arguments: str) -> str:
    """Runs from what uv has in its cache, or, failing that, with the index it is set up for."""
    run = subprocess.run(
        ("uv", *arguments, "--offline"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if run.returncode:
        run = subprocess.run(("uv", *arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "--out-dir", str(folder))
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_the_migrations_and_no_test(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    shipped = {name.removeprefix("src/") for name in files() if name.startswith("src/relay/")}
    migrations = {
        f"relay/adapters/outbound/storage/{name}"
        for name in files()
        if name.startswith("migrations/") and not name.endswith(".gitkeep")
    }
    assert "relay/adapters/outbound/providers/catalog.toml" in shipped
    assert any(name.endswith("migrations/env.py") for name in migrations)
    assert shipped | migrations <= held
    assert [name for name in held - shipped - migrations if ".dist-info/" not in name] == []


def test_the_base_install_imports_the_domain_and_every_dialect_without_a_server(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    uv("venv", "--quiet", str(environment))
    python = environment / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", str(python), str(wheel))
    program = subprocess.run(
        [python, "-I", "-c", EMBEDDED], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert program.returncode == 0, program.stderr
    imported = program.stdout.split()
    assert "relay.domain.resolution" in imported
    assert any("openai_chat" in name for name in imported)
    assert any("ollama_chat" in name for name in imported)
