"""Writes the tree in `docs/architecture.md`: every file with the sentence it opens with.

A Python file's sentence is the first of its docstring, a folder's that of its `__init__.py`, any other file's its
first comment; what can say nothing of itself is in `SAID_HERE`.
"""

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "architecture.md"
START, END = "<!-- tree: written by `make docs` -->\n```text\n", "```\n<!-- /tree -->"

COLLAPSED = (
    "tests/unit",
    "tests/e2e/node",
    "tests/contract/configuration_mistakes",
    "tests/contract/fixtures",
    "docs/adr",
    "migrations/versions",
)
HIDDEN = (".gitignore", ".gitkeep", ".python-version", ".editorconfig", "__init__.py", "py.typed")
SAID_HERE = {
    ".ci": "what runs on a new machine",
    "CHANGELOG.md": "what changed for those who run or embed the relay",
    "CONTRIBUTING.md": "set-up, words, size rules, recipes",
    "LICENSE": "MIT",
    "README.md": "what it is and the first call",
    "benchmarks/baseline.json": "the figures that later ones are compared with",
    "benchmarks/results.json": "the figures that docs/performance.md tells",
    "docs": "for those who change or run the relay",
    "docs/adr": "decisions, one page each, with how we would notice that one was wrong",
    "docs/architecture.md": "this page",
    "docs/performance.md": "what it costs beside other gateways (written by `make bench`)",
    "tests/e2e/agents/package.json": "the coding agents that are put to the running relay",
    "migrations": "the database schema, revision by revision (shipped inside the wheel)",
    "migrations/script.py.mako": "what a new revision begins as",
    "migrations/versions": "the revisions, in order",
    "pyproject.toml": "packaging and every tool's configuration",
    "requirements.txt": "exact versions with hashes, for an image (written by `make lock`)",
    "src": "what is installed",
    "src/relay/adapters/outbound/prices/bundled.NOTICE.txt": "licences of the lists that bundled.json is from",
    "src/relay/adapters/outbound/prices/bundled.json": "the bundled prices (written by tools/prices.py)",
    "tests": "all of it real but the providers",
    "tests/architecture": "the repository itself: imports, sizes, words, documents, pins, the wheel",
    "tests/conformance": "what clients rely on, number by number, against the real process",
    "tests/contract": "one dialect or port each, every implementation",
    "tests/contract/configuration_mistakes": "files with one mistake each, and what is said of each",
    "tests/contract/fixtures": "recorded bytes of real providers",
    "tests/e2e": "the real process over a socket",
    "tests/e2e/clients": "clients that the field uses",
    "tests/e2e/node": "the same for Node.js: scripts that print what a client made of the relay",
    "tests/unit": "mirrors src/relay; one module and fakes of ports",
}


def tracked() -> list[str]:
    """Paths from the root of all that git keeps or would keep."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted({name for name in listed.splitlines() if (ROOT / name).is_file()})


def sentence(text: str) -> str:
    """The first sentence of a docstring, in one line, without its full stop."""
    opening = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"\.(?:\s|$)", opening)[0]


def said_by_itself(path: Path) -> str:
    """What a file says of itself first: docstring or comment; empty when it says nothing."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".py":
        return sentence(ast.get_docstring(ast.parse(text)) or "")
    lines = text.removeprefix("#!").splitlines()
    comments = [line.partition(" ")[2] for line in lines[:3] if line.startswith(("# ", "// "))]
    return sentence(comments[0]) if comments else ""


def description(path: str) -> str:
    """One line about a file or folder, given from the root; empty for a folder that is no package.

    Raises `LookupError` for a file or package that says nothing.
    """
    if path in SAID_HERE:
        return SAID_HERE[path]
    file = ROOT / path
    if file.is_dir():
        file /= "__init__.py"
        if not file.is_file():
            return ""
    said = said_by_itself(file)
    if not said:
        raise LookupError(f"{path} does not say what it is for: give it a first sentence")
    return said


def shown(paths: Iterable[str]) -> list[str]:
    """Paths to draw, each with its folders, collapsed folders standing for what is in them."""
    found: set[str] = set()
    for path in paths:
        parents = [str(parent) for parent in PurePosixPath(path).parents][:-1]
        folded = [parent for parent in parents if parent in COLLAPSED]
        if folded:
            found.update(parent for parent in parents if len(parent) <= len(folded[-1]))
        elif PurePosixPath(path).name not in HIDDEN:
            found.update((path, *parents))
    return sorted(found)


def drawn(paths: list[str], folder: str = "", indent: str = "") -> Iterator[tuple[str, str]]:
    """Name with its branches, and path, of everything below `folder`: files first, then folders."""
    children = [path for path in paths if str(PurePosixPath(path).parent) == (folder or ".")]
    children.sort(key=lambda path: ((ROOT / path).is_dir(), path))
    for path in children:
        last = path == children[-1]
        slash = "/" if (ROOT / path).is_dir() else ""
        yield f"{indent}{'└── ' if last else '├── '}{PurePosixPath(path).name}{slash}", path
        yield from drawn(paths, path, indent + ("    " if last else "│   "))


def tree() -> str:
    """The whole block."""
    rows = list(drawn(shown(tracked())))
    column = max(len(name) for name, _ in rows) + 2
    return "".join(f"{name:<{column}}{description(path)}".rstrip() + "\n" for name, path in rows)


def with_tree(document: str) -> str:
    """`document` with the block in its place. Raises `ValueError` when it has no place for it."""
    before, start, rest = document.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError("the document has no place for the tree")
    return before + start + tree() + end + after


def main() -> None:
    """Write the document, or with `--check` fail when that would change it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    document = DOCUMENT.read_text(encoding="utf-8")
    try:
        fresh = with_tree(document)
    except LookupError as error:
        sys.exit(str(error))
    if not parser.parse_args().check:
        DOCUMENT.write_text(fresh, encoding="utf-8")
    elif fresh != document:
        sys.exit("docs/architecture.md: the tree is out of date; run `make docs`")


if __name__ == "__main__":
    main()
