"""The repository's rules as pure functions: source in, offences out, each `line: what is wrong`.

Each rule has a sample it must refuse in `test_rules.py`, so none can quietly stop working.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_POSITIONAL = 5

VAGUE_MODULES = frozenset(
    {"base", "common", "helper", "helpers", "impl", "manager", "managers", "misc", "util", "utils"}
)
_VAGUE_CLASS = re.compile(r"^Base[A-Z]|(Manager|Helper|Helpers|Utils?|Impl|Service)$")
_UNFINISHED = re.compile(r"(?<![-\w])(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK|NotImplemented" r"Error)\b")
_BANNER = re.compile(r"^\s*#\s*[-=#*~]{3,}")
_REGISTRY = re.compile(
    r"(?i)pypi\." r"org|python" r"hosted\.org|registry\.npm" r"js|registry\.yarn" r"pkg|index" r"-url"
)
_MACHINE_PATH = re.compile(r"(?<![\w.}])/(home|Users|root|work|opt|mnt)/\w")

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def long_file(source: str) -> Iterator[str]:
    """Files that should be two."""
    count = source.count("\n")
    if count > MAX_FILE_LINES:
        yield f"{MAX_FILE_LINES}: the file has {count} lines"


def long_functions(tree: ast.Module) -> Iterator[str]:
    """Functions that should be two."""
    for function in ast.walk(tree):
        if not isinstance(function, _FUNCTIONS):
            continue
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield f"{function.lineno}: {function.name} has {lines} lines"


def many_positional(tree: ast.Module) -> Iterator[str]:
    """Functions whose callers cannot tell the arguments apart."""
    for function in ast.walk(tree):
        if not isinstance(function, _FUNCTIONS):
            continue
        names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        count = len(names) - (names[:1] in (["self"], ["cls"]))
        if count > MAX_POSITIONAL:
            yield f"{function.lineno}: {function.name} takes {count} positional parameters"


def no_purpose(tree: ast.Module) -> Iterator[str]:
    """Modules that do not open by saying, in a sentence, what they are responsible for."""
    opening = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    if not re.search(r"[.:]\s*$|\.\s", opening):
        yield "1: no opening sentence"


def vague_names(path: str, tree: ast.Module) -> Iterator[str]:
    """Modules and classes named after nothing."""
    if PurePosixPath(path).stem in VAGUE_MODULES:
        yield f"1: {PurePosixPath(path).name} does not say what is in it"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and _VAGUE_CLASS.search(node.name):
            yield f"{node.lineno}: class {node.name} does not say what it is"


def unfinished(source: str) -> Iterator[str]:
    """Work left for later."""
    yield from _matching(_UNFINISHED, source)


def banners(source: str) -> Iterator[str]:
    """Comments that draw lines instead of saying why."""
    yield from _matching(_BANNER, source)


def foreign_addresses(source: str) -> Iterator[str]:
    """Addresses of package registries, and paths of one machine."""
    yield from _matching(_REGISTRY, source)
    yield from _matching(_MACHINE_PATH, source)


def mocks(tree: ast.Module) -> Iterator[str]:
    """Fakes that no port's contract suite has seen."""
    for line, name in imported(tree):
        if name == "unittest.mock" or name.startswith("unittest.mock.") or name.split(".")[0] == "mock":
            yield f"{line}: {name}"


def foreign_imports(tree: ast.Module, *allowed: str) -> Iterator[str]:
    """Imports from outside the standard library and the `allowed` packages."""
    for line, name in imported(tree):
        inside = any(name == package or name.startswith(f"{package}.") for package in allowed)
        if not inside and name.split(".")[0] not in sys.stdlib_module_names:
            yield f"{line}: {name}"


def hidden_imports(tree: ast.Module) -> Iterator[str]:
    """Names that exist for the type checker only: Litestar and msgspec read annotations at run time."""
    for line, name in imported(tree):
        if name in ("typing.TYPE_CHECKING", "__future__.annotations"):
            yield f"{line}: {name}"


def clocks_and_ids(tree: ast.Module) -> Iterator[str]:
    """Wall clock, random numbers and identities taken without a port."""
    for line, name in (*imported(tree), *_attributes(tree)):
        if name in ("time.time", "time.time_ns") or name.split(".")[0] in ("uuid", "random"):
            yield f"{line}: {name}"
        if re.search(r"(^|\.)(datetime|date)\.(now|utcnow|today)$", name):
            yield f"{line}: {name}"


def strict_json(tree: ast.Module) -> Iterator[str]:
    """JSON read in another way than the one that copes with what peers really send."""
    for line, name in (*imported(tree), *_attributes(tree)):
        if name in ("json.loads", "json.load", "json.JSONDecoder"):
            yield f"{line}: {name}"


def bare_casts(tree: ast.Module, source: str) -> Iterator[str]:
    """`cast` without a comment, on its line or the two before, that says why it holds."""
    lines = source.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func) in ("cast", "typing.cast"):
            near = lines[max(node.lineno - 3, 0) : node.lineno]
            if not any("#" in line for line in near):
                yield f"{node.lineno}: cast without a reason"


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def _attributes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := _dotted(node)):
            yield node.lineno, name


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{inner}.{name}" if (inner := _dotted(value)) else ""
        case _:
            return ""


def _matching(pattern: re.Pattern[str], source: str) -> Iterator[str]:
    for number, line in enumerate(source.splitlines(), 1):
        if found := pattern.search(line):
            yield f"{number}: {found[0]!r}"
