"""Shows the line a mistake is in, and marks the place, without showing what may be secret.

A value is shown only where its key is known to hold nothing secret and where it does not look like a secret
itself; any other one is shown as `…`. Of a text that is no TOML nobody can tell what its values are, so
nothing behind a key is shown.
"""

import re
from collections.abc import Iterator

from relay.domain.tags import looks_secret
from relay.settings.places import Path, Places, Span
from relay.settings.tree import SECTIONS, Model

MAX_CHARACTERS = 100
HIDDEN = "…"

_OPEN_PROVIDER_KEYS = frozenset(
    {"kind", "base_url", "models", "dialect", "discovery", "on_disconnect", "manage"}
)
_CREDENTIALS = re.compile(r"[@?#]")
_BEGINNING = re.compile(r"\s*(?:\[{1,2}[\w\s.-]*\]{0,2}|(?:[\w-]+\s*\.\s*)*[\w-]+\s*=)")
"""Of a line that is no TOML: a table's name, or a key with its equals sign."""

type _Part = tuple[str, bool]
"""Some characters, and whether they are marked."""


def excerpt(text: str, places: Places, span: Span) -> tuple[str, ...]:
    """The line that `span` begins in, and a line with the mark below it; nothing where it cannot be shown."""
    line = Span(text.rfind("\n", 0, span.start) + 1, _line_end(text, span.start))
    scalars = [(path, scalar) for path, scalar in places.scalars if _meet(line, scalar)]
    if any(scalar.start < line.start for _, scalar in scalars):
        return ()  # the line begins inside a text of several lines
    known = [span, *places.keys.values(), *places.values.values()]
    shown = Span(line.start, _end_without_comment(text, line, known))
    return _drawn(text, line.start, list(_parts(text, shown, span, scalars)))


def excerpt_of_no_toml(text: str, offset: int) -> tuple[str, ...]:
    """The same of a text that is no TOML: the table's name or the key, at most."""
    start, stop = text.rfind("\n", 0, offset) + 1, _line_end(text, offset)
    beginning = _BEGINNING.match(text, start, stop)
    if beginning is None:
        return ()
    shown = Span(start, beginning.end())
    parts = list(_parts(text, shown, Span(offset, offset + 1), []))
    parts += [(" ", False), ("…", offset >= shown.end)] if shown.end < stop else [(" ", offset >= stop)]
    return _drawn(text, start, parts)


def may_show(path: Path, value: str) -> bool:
    """True when a value may be shown to anybody who sees an error."""
    if looks_secret(value.strip("\"'")):
        return False
    match path:
        case ("server" | "auth" | "database" as section, str(key), *_):
            return key in SECTIONS[section].__struct_fields__ and not (
                key == "url" and _CREDENTIALS.search(value)
            )
        case ("models", _, str(key), *_):
            return key in Model.__struct_fields__
        case ("providers", _, str(key), *_):
            return key in _OPEN_PROVIDER_KEYS and not (key == "base_url" and _CREDENTIALS.search(value))
        case _:
            return False


def _parts(text: str, shown: Span, span: Span, scalars: list[tuple[Path, Span]]) -> Iterator[_Part]:
    at = shown.start
    for path, scalar in scalars:
        end = min(scalar.end, shown.end)
        yield from _marked(text, at, scalar.start, span)
        if may_show(path, text[scalar.start : scalar.end]):
            yield from _marked(text, scalar.start, end, span)
        else:
            yield HIDDEN, _meet(span, scalar)
        at = end
    yield from _marked(text, at, shown.end, span)


def _marked(text: str, start: int, end: int, span: Span) -> Iterator[_Part]:
    for at in range(start, end):
        yield (text[at] if text[at].isprintable() else " "), span.start <= at < span.end


def _drawn(text: str, start: int, parts: list[_Part]) -> tuple[str, ...]:
    line = "".join(characters for characters, _ in parts)
    marks = "".join(("^" if is_marked else " ") * len(characters) for characters, is_marked in parts)
    first = max(0, marks.find("^") - MAX_CHARACTERS // 2) if len(line) > MAX_CHARACTERS else 0
    number = str(text.count("\n", 0, start) + 1)
    kept = slice(first, first + MAX_CHARACTERS)
    return (f"  {number} | {line[kept]}".rstrip(), f"  {' ' * len(number)} | {marks[kept]}".rstrip())


def _end_without_comment(text: str, line: Span, known: list[Span]) -> int:
    end = max(min(span.end, line.end) for span in known if line.start <= span.start < line.end)
    is_header = text[line.start : end].lstrip().startswith("[")
    closing = re.compile(r"[ \t]*\]{1,2}").match(text, end, line.end) if is_header else None
    return closing.end() if closing else end


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end
