"""Writes `docs/conformance.md`: each numbered assertion about the wires, the test that carries it, and what waits.

A test carries numbers by its mark, `@pytest.mark.conformance("ollama", 36, 37)`; its name says what is asserted.
What has no test yet stands in `tests/conformance/waiting.toml` with what it waits for.
"""

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "conformance.md"
TESTS = ROOT / "tests" / "conformance"
WAITING = TESTS / "waiting.toml"

LISTS = {
    "ollama": ("Ollama's API", 126),
    "openai": ("OpenAI's API, and Anthropic's Messages", 120),
}
"""The checklists and how many assertions each has."""

OPENING = """\
# Conformance

What real clients rely on, as two numbered checklists, each assertion with the test that holds the relay to it.
The tests of `tests/conformance` run against the real relay in front of a scripted provider; `test_each_can_fail.py`
shows that each of them fails against a stub that always answers 200 with an empty object. What has no test yet
names what it waits for.

This page is written by `make docs`.
"""

type Carried = dict[int, list[tuple[str, str]]]
"""By number: the file and the test."""


def carried(checklist: str) -> Carried:
    """Which tests carry which numbers of a checklist."""
    found: Carried = {}
    for file in sorted(TESTS.glob("test_*.py")):
        for function in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for number in _numbers(function, checklist):
                    found.setdefault(number, []).append((file.name, function.name))
    return found


def _numbers(function: ast.FunctionDef, checklist: str) -> Iterator[int]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.conformance":
            name, *numbers = (ast.literal_eval(argument) for argument in mark.args)
            if name == checklist:
                yield from numbers


def waiting(checklist: str) -> dict[int, str]:
    """What a number without a test waits for; a key may be a range such as `113-126`."""
    reasons: dict[int, str] = {}
    for key, reason in tomllib.loads(WAITING.read_text("utf-8")).get(checklist, {}).items():
        first, _, last = key.partition("-")
        reasons |= dict.fromkeys(range(int(first), int(last or first) + 1), reason)
    return reasons


def document() -> str:
    """The whole page. Raises `LookupError` when a number is in neither place or in both."""
    return OPENING + "".join(_section(checklist, *LISTS[checklist]) for checklist in LISTS)


def _section(checklist: str, title: str, count: int) -> str:
    tests, reasons = carried(checklist), waiting(checklist)
    wrong = [number for number in range(1, count + 1) if (number in tests) == (number in reasons)]
    strange = [number for number in (*tests, *reasons) if not 1 <= number <= count]
    if wrong or strange:
        raise LookupError(
            f"{checklist}: neither tested nor waiting, or both: {wrong}; no such number: {strange}"
        )
    rows = "".join(_row(number, tests, reasons) for number in range(1, count + 1))
    head = "| # | State | Test, or what it waits for |\n|--:|---|---|\n"
    return f"\n## {title}\n\n{len(tests)} of {count} are tested.\n\n{head}{rows}"


def _row(number: int, tests: Carried, reasons: dict[int, str]) -> str:
    if number in reasons:
        return f"| {number} | waits | {reasons[number]} |\n"
    links = "; ".join(
        f"`{name.removeprefix('test_').replace('_', ' ')}` ({file})" for file, name in tests[number]
    )
    return f"| {number} | passes | {links} |\n"


def main() -> None:
    """Write the document, or with `--check` fail when that would change it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    try:
        fresh = document()
    except LookupError as error:
        sys.exit(str(error))
    if not parser.parse_args().check:
        DOCUMENT.write_text(fresh, encoding="utf-8")
    elif not DOCUMENT.is_file() or DOCUMENT.read_text(encoding="utf-8") != fresh:
        sys.exit("docs/conformance.md is out of date; run `make docs`")


if __name__ == "__main__":
    main()
