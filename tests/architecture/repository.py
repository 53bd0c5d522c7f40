"""The repository as the architecture tests see it: which files belong to it, and their text and syntax."""

import ast
from functools import cache

from tools.tree import ROOT as ROOT
from tools.tree import tracked

GENERATED = ("migrations/versions/",)
RECORDED = "/fixtures/"


@cache
def files() -> tuple[str, ...]:
    """Every file git keeps or would keep, as a path from the root, sorted."""
    return tuple(tracked())


def python_files(*folders: str) -> tuple[str, ...]:
    """Python files below these folders (all when none is given), generated ones left out."""
    return tuple(
        name
        for name in files()
        if name.endswith(".py")
        and not name.startswith(GENERATED)
        and (not folders or name.startswith(tuple(f"{folder}/" for folder in folders)))
    )


def written_files() -> tuple[str, ...]:
    """Every text file but recorded ones."""
    return tuple(name for name in files() if RECORDED not in f"/{name}" and text(name) is not None)


@cache
def text(name: str) -> str | None:
    """A file's text; `None` when it is not text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@cache
def tree(name: str) -> ast.Module:
    """A Python file's syntax."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), filename=name)
