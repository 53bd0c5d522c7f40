"""Where in a TOML text its keys and values stand: parsers give values, people need lines.

It takes any text: what stands before the first thing it cannot read is found, and where that is is told.
Whether a text is valid TOML is for the parser to say.
"""

import re
import tomllib
from dataclasses import dataclass, field
from typing import NamedTuple

type Path = tuple[str | int, ...]
"""Names of tables and keys, and indexes into lists."""


class Span(NamedTuple):
    """Offsets into the text, the end excluded."""

    start: int
    end: int


@dataclass(slots=True)
class Places:
    """What was found. `scalars` are the spans of everything that is neither list nor table, in their order.

    `repeated` are keys and tables that are there a second time, and `stopped_at` is where the text could not be
    read any further.
    """

    keys: dict[Path, Span] = field(default_factory=dict)
    values: dict[Path, Span] = field(default_factory=dict)
    scalars: list[tuple[Path, Span]] = field(default_factory=list)
    repeated: list[tuple[Path, Span]] = field(default_factory=list)
    stopped_at: int | None = None

    def key(self, path: Path) -> Span | None:
        """Where the key or table is named; of one that is not there, where what is nearest around it is."""
        outward = (path[:end] for end in range(len(path), 0, -1))
        spans = (self.keys.get(outer) or self.values.get(outer) for outer in outward)
        return next((span for span in spans if span), None)

    def value(self, path: Path) -> Span | None:
        """Where the value stands; of one that is not there, as `key`."""
        return self.values.get(path) or self.key(path)


def places_of(text: str) -> Places:
    """The places in a text whose lines end in LF."""
    scanner = _Scanner(text)
    try:
        scanner.run()
    except _CannotRead:
        scanner.places.stopped_at = scanner.at
    return scanner.places


_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_NAME = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*'""")
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'"
    r"""|[^\s,\[\]{}#="'][^,\]}#\n]*""",
    re.DOTALL,
)


MAX_DEPTH = 200
"""Of lists and inline tables in one another; deeper ones end the search."""


class _CannotRead(Exception):
    """The text does not go on as TOML does, or is nested too deeply."""


@dataclass(slots=True)
class _Open:
    """A list or an inline table whose end has not been met."""

    path: Path
    start: int
    closing: str
    members: int = 0


class _Scanner:
    """Walks over the text once."""

    def __init__(self, text: str) -> None:
        self.places = Places()
        self.at = 0
        self._text = text
        self._table: Path = ()
        self._last_of: dict[Path, int] = {}
        self._declared: set[Path] = set()

    def run(self) -> None:
        """Find everything. Raises `_CannotRead`."""
        self._skip_blank()
        while self.at < len(self._text):
            if self._take("[["):
                self._table = self._header("]]")
            elif self._take("["):
                self._table = self._header("]")
            else:
                self._value(self._key(self._table))
            self._skip_blank()

    def _header(self, closing: str) -> Path:
        path: Path = ()
        names = self._names()
        for number, (name, span) in enumerate(names, start=1):
            path = (*path, name)
            is_last = number == len(names)
            if is_last and closing == "]":
                self._declare(path, span)
            self.places.keys.setdefault(path, span)
            if is_last and closing == "]]":
                self._last_of[path] = self._last_of.get(path, -1) + 1
                self.places.keys[*path, self._last_of[path]] = span
            if path in self._last_of:
                path = (*path, self._last_of[path])
        self._expect(closing)
        return path

    def _key(self, table: Path) -> Path:
        """Past a key and its equals sign; its whole path."""
        path = table
        names = self._names()
        for number, (name, span) in enumerate(names, start=1):
            path = (*path, name)
            if number == len(names):
                self._declare(path, span)
            self.places.keys.setdefault(path, span)
        self._expect("=")
        return path

    def _declare(self, path: Path, span: Span) -> None:
        if path in self._declared:
            self.places.repeated.append((path, span))
            return
        self._declared.add(path)
        self.places.keys[path] = span

    def _names(self) -> list[tuple[str, Span]]:
        names: list[tuple[str, Span]] = []
        while True:
            self._skip_blank()
            match = _NAME.match(self._text, self.at)
            if match is None:
                raise _CannotRead
            names.append((_unquoted(match[0]), Span(*match.span())))
            self.at = match.end()
            self._skip_blank()
            if not self._take("."):
                return names

    def _value(self, path: Path) -> None:
        """Past a whole value."""
        opened: list[_Open] = []
        try:
            self._through(path, opened)
        except _CannotRead:
            if opened and self.at == len(self._text):
                self.at = opened[0].start  # the end was read in vain: what is wrong is where it began
            raise

    def _through(self, path: Path, opened: list[_Open]) -> None:
        following: Path | None = path
        while following is not None:
            if len(opened) > MAX_DEPTH:
                raise _CannotRead
            self._skip_blank()
            start = self.at
            if self._take("["):
                opened.append(_Open(following, start, "]"))
            elif self._take("{"):
                opened.append(_Open(following, start, "}"))
            else:
                self._scalar(following)
            following = self._member(opened)

    def _member(self, opened: list[_Open]) -> Path | None:
        """The path of the next member of what is open; `None` when nothing is open any more."""
        while opened:
            around = opened[-1]
            self._skip_blank()
            if self._take(","):
                self._skip_blank()
            if self._take(around.closing):
                self.places.values[around.path] = Span(around.start, self.at)
                opened.pop()
            elif around.closing == "]":
                around.members += 1
                return (*around.path, around.members - 1)
            else:
                return self._key(around.path)
        return None

    def _scalar(self, path: Path) -> None:
        match = _SCALAR.match(self._text, self.at)
        if match is None:
            raise _CannotRead
        span = Span(self.at, self.at + len(match[0].rstrip()))
        self.places.values[path] = span
        self.places.scalars.append((path, span))
        self.at = match.end()

    def _skip_blank(self) -> None:
        match = _BLANK.match(self._text, self.at)
        self.at = match.end() if match else self.at

    def _take(self, token: str) -> bool:
        if self._text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def _expect(self, token: str) -> None:
        self._skip_blank()
        if not self._take(token):
            raise _CannotRead


def _unquoted(name: str) -> str:
    if name[0] not in "\"'":
        return name
    try:
        return str(tomllib.loads(f"name = {name}")["name"])
    except tomllib.TOMLDecodeError:
        raise _CannotRead from None
