"""The documents tell the truth about the repository: its tree, its decisions, its links, its commands."""

import re
from pathlib import PurePosixPath

import pytest

from tests.architecture.repository import ROOT, files, text
from tools import conformance, dialects, tree

PAGES = [name for name in files() if name.endswith(".md")]
DECISIONS = [name for name in PAGES if name.startswith("docs/adr/")]
PARTS = ["## Context", "## Decision", "## Consequences", "## How we would notice"]
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:src|tests|docs|tools|migrations|examples|benchmarks|\.ci)/[\w./-]*)`")
_MAKE = re.compile(r"`(?:[A-Z_]+=\S+ )?make ([a-z0-9-]+)[^`]*`|^(?:    )?make ([a-z0-9-]+)", re.MULTILINE)


def page(name: str) -> str:
    return text(name) or ""


def anchors(markdown: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_tree_in_the_architecture_page_is_the_repository() -> None:
    document = page("docs/architecture.md")
    is_current = tree.with_tree(document) == document
    assert is_current, "run `make docs`"


def test_the_conformance_page_lists_every_number_with_its_test_or_reason() -> None:
    is_current = conformance.document() == page("docs/conformance.md")
    assert is_current, "run `make docs`"


def test_the_page_of_the_dialects_says_what_their_codecs_say() -> None:
    is_current = dialects.document() == page("docs/dialects.md")
    assert is_current, "run `make docs`"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(PurePosixPath(name).name[:4]) for name in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_says_why_what_what_follows_and_how_we_would_notice(name: str) -> None:
    lines = page(name).splitlines()
    number, slug = PurePosixPath(name).stem.split("-", 1)
    assert lines[0].startswith(f"# {number}: ")
    assert slug == slug.lower()
    assert [line for line in lines if line.startswith("## ")] == PARTS
    assert len(lines) <= 60, "one page"


def test_the_architecture_page_lists_every_decision() -> None:
    linked = set(_LINK.findall(page("docs/architecture.md")))
    assert {name.removeprefix("docs/") for name in DECISIONS} <= linked


@pytest.mark.parametrize("name", PAGES)
def test_every_link_inside_the_repository_leads_somewhere(name: str) -> None:
    for link in _LINK.findall(page(name)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        goal = (ROOT / name).parent / path if path else ROOT / name
        assert goal.exists(), link
        assert not anchor or anchor in anchors(goal.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", PAGES)
def test_every_path_a_page_names_exists(name: str) -> None:
    if name != "CHANGELOG.md":
        assert [path for path in _PATH.findall(page(name)) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_make_target_a_page_names_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", page("Makefile"), re.MULTILINE))
    named = {first or second for first, second in _MAKE.findall(page(name))}
    assert named <= targets


def test_every_make_target_is_explained_by_make_help() -> None:
    rules = re.findall(r"^([a-z0-9-]+):(.*)$", page("Makefile"), re.MULTILINE)
    assert len(rules) > 10
    assert [name for name, rest in rules if "## " not in rest] == []


def test_a_sentence_ends_at_its_full_stop_and_is_one_line() -> None:
    assert tree.sentence("Reads 1.5 MB\nof text. Then more.") == "Reads 1.5 MB of text"
    assert tree.sentence("One: two\n\nThree.") == "One: two"


def test_a_collapsed_folder_stands_for_what_is_in_it() -> None:
    paths = ["a.py", "tests/unit/domain/test_x.py", "src/relay/__init__.py", ".gitignore"]
    assert tree.shown(paths) == ["a.py", "tests", "tests/unit"]
