"""A configuration file's text, and the mistakes in it with their places."""

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property

from relay.settings.excerpt import excerpt, excerpt_of_no_toml
from relay.settings.mistakes import Finding, Mistake
from relay.settings.places import Path, Places, Span, places_of
from relay.settings.tree import NAMED_SECTIONS

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_QUOTES = "A text stands in quotes, a list in brackets."
_ADVICE = {
    "Invalid value": _QUOTES,
    "Expected '=' after a key": "Write KEY = VALUE.",
    "Expected newline": "Begin a new line.",
    "Invalid statement": "A line is [TABLE], KEY = VALUE or # a comment.",
    "Expected ']'": "Close the bracket.",
    "Unclosed": "Close the bracket.",
    "Unterminated string": "Close the quotes.",
    'Expected "\'"': "Close the quotes.",
    "Illegal character": "Close the quotes.",
    "Unescaped": "In double quotes a backslash is written twice; or use single quotes.",
}


@dataclass(frozen=True)
class Document:
    """The text of a file called `label`, whose lines end in LF."""

    label: str
    text: str = ""

    def parsed(self) -> tuple[dict[str, object], Mistake | None]:
        """The tree, and what keeps the text from being TOML."""
        try:
            return tomllib.loads(self.text), None
        except RecursionError:
            nested = Finding(
                (), "lists and tables are nested too deeply", "No setting needs more than four levels."
            )
            return {}, self._mistake(None, nested)
        except ValueError as error:  # tomllib's own, and that of a number with too many digits
            return {}, self._not_toml(str(error))

    def mistake(self, finding: Finding) -> Mistake:
        """The mistake that `finding` tells of, its path beginning at the root.

        Of what is not there, the place is that of the nearest table around it.
        """
        span = self._places.key(finding.path) if finding.at_key else self._places.value(finding.path)
        return self._mistake(span, finding)

    @cached_property
    def _places(self) -> Places:
        return places_of(self.text)

    def _mistake(self, span: Span | None, finding: Finding) -> Mistake:
        line, column = self._position(span.start) if span else (0, 0)
        table, key = _table_and_key(finding.path)
        return Mistake(
            source=self.label,
            line=line,
            column=column,
            table=table,
            key=key,
            reason=finding.reason,
            suggestion=finding.suggestion,
            excerpt=excerpt(self.text, self._places, span) if span else (),
        )

    def _not_toml(self, error: str) -> Mistake:
        if self._places.repeated:
            return self._twice()
        where = _POSITION.search(error)
        if where is None:
            return self._mistake(None, Finding((), "a number has too many digits", "Shorten it."))
        reason = error[: where.start()]
        offset = self._offset(where)
        line, column = self._position(offset)
        return Mistake(
            source=self.label,
            line=line,
            column=column,
            reason=f"not valid TOML: {reason[:1].lower()}{reason[1:]}",
            suggestion=next(
                (advice for start, advice in _ADVICE.items() if reason.startswith(start)), _QUOTES
            ),
            excerpt=excerpt_of_no_toml(self.text, offset),
        )

    def _twice(self) -> Mistake:
        path, span = self._places.repeated[0]
        first = self._places.keys[path]
        line, _ = self._position(first.start)
        return self._mistake(span, Finding(path, "is there twice", f"The first is in line {line}: keep one."))

    def _offset(self, where: re.Match[str]) -> int:
        if where[1]:
            lines = self.text.split("\n")
            return sum(len(line) + 1 for line in lines[: int(where[1]) - 1]) + int(where[2]) - 1
        stopped_at = self._places.stopped_at
        return len(self.text.rstrip()) if stopped_at is None else stopped_at

    def _position(self, offset: int) -> tuple[int, int]:
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)


def dotted(path: Path) -> str:
    """A path as TOML writes it, with indexes in brackets."""
    spelled = ""
    for part in path:
        if isinstance(part, int):
            spelled += f"[{part}]"
        else:
            name = part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            spelled += f".{name}" if spelled else name
    return spelled


def _table_and_key(path: Path) -> tuple[str, str]:
    depth = 2 if path[:1] and path[0] in NAMED_SECTIONS else 1
    return dotted(path[:depth]), dotted(path[depth:])
