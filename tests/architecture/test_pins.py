"""Every requirement is pinned to the version in use, and no file says where it is fetched from."""

import re
import tomllib
from importlib import metadata

from tests.architecture.repository import ROOT
from tools.lock import BUILD_PINS, PINS, constraints, with_list

PYPROJECT = (ROOT / "pyproject.toml").read_text()
REQUIREMENTS = (ROOT / "requirements.txt").read_text()
SETTINGS = tomllib.loads(PYPROJECT)
OURS = SETTINGS["project"]["name"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required_by(distribution: str) -> set[str]:
    """Names a distribution may ask for, whatever the extra or the platform."""
    requirements = metadata.distribution(distribution).requires or []
    return {canonical(found[0]) for line in requirements if (found := re.match(r"[\w.-]+", line))}


def in_use() -> dict[str, str]:
    """Installed versions of all that the project and its development group reach."""
    installed = {canonical(found.metadata["Name"]): found.version for found in metadata.distributions()}
    wanted = required_by(OURS)
    for line in SETTINGS["dependency-groups"]["dev"]:
        if found := re.match(r"[\w.-]+", line):
            wanted.add(canonical(found[0]))
    pending, seen = list(wanted), set[str]()
    while pending:
        name = pending.pop()
        if name in installed and name not in seen:
            seen.add(name)
            pending += required_by(name)
    return {name: installed[name] for name in seen if name != OURS}


def pins(key: str) -> dict[str, set[str]]:
    """Pinned versions by name; several where markers choose."""
    found: dict[str, set[str]] = {}
    for pin in SETTINGS["tool"]["uv"][key]:
        name, _, version = pin.partition(" ; ")[0].partition("==")
        found.setdefault(name, set()).add(version)
    return found


def test_every_requirement_in_use_is_pinned_to_the_version_in_use() -> None:
    pinned = pins(PINS)
    assert len(in_use()) > 30
    assert {name: v for name, v in in_use().items() if v not in pinned.get(name, set())} == {}


def test_what_builds_the_wheel_is_pinned_too() -> None:
    wanted = [re.split(r"[<>=~! ]", line)[0] for line in SETTINGS["build-system"]["requires"]]
    assert wanted
    assert set(wanted) <= set(pins(BUILD_PINS))


def test_the_image_installs_the_pinned_versions_by_hash() -> None:
    entries = [entry.partition("#")[0] for entry in REQUIREMENTS.replace("\\\n", " ").splitlines()]
    pinned = pins(PINS)
    for entry in filter(None, entries):
        name, _, rest = entry.partition("==")
        assert rest.split()[0] in pinned[name], entry
        assert "--hash=sha256:" in rest, entry
    required = {canonical(re.split(r"[\[<>=~! ]", line)[0]) for line in SETTINGS["project"]["dependencies"]}
    for extra in ("server", "postgres"):
        lines = SETTINGS["project"]["optional-dependencies"][extra]
        required |= {canonical(re.split(r"[\[<>=~!; ]", line)[0]) for line in lines}
    assert required <= {entry.partition("==")[0] for entry in entries}


def test_neither_list_says_where_anything_is_fetched() -> None:
    assert "://" not in REQUIREMENTS
    assert "--index" not in REQUIREMENTS
    assert "--find-links" not in REQUIREMENTS
    assert "://" not in "".join(map(str, SETTINGS["tool"]["uv"].values()))


def test_markers_are_kept_only_where_they_choose_between_versions() -> None:
    exported = "b==2 ; python_version >= '3.15'\nb==1 ; python_version < '3.15'\na==3 ; sys_platform == 'x'\n"
    assert constraints(exported) == [
        "a==3",
        "b==1 ; python_version < '3.15'",
        "b==2 ; python_version >= '3.15'",
    ]


def test_pins_replace_a_list_and_nothing_else() -> None:
    before = 'x = 1\npins = [\n    "old==1",\n    "older==2",\n]\nmore = [\n    "kept",\n]\n'
    after = 'x = 1\npins = [\n    "new==3",\n]\nmore = [\n    "kept",\n]\n'
    assert with_list(before, "pins", ["new==3"]) == after
    assert with_list(after, "pins", []) == 'x = 1\npins = [\n]\nmore = [\n    "kept",\n]\n'
