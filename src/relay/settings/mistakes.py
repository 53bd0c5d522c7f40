"""What is wrong with a configuration, in the words for the person who wrote it."""

from collections.abc import Iterable

import msgspec


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. It never holds a value that may be secret.

    `source` is the file, or "environment" or "flags". `line` and `column` count characters from 1, and are 0
    where they are not known. `excerpt` is the line of the file and, below it, a line that marks the place.
    """

    source: str
    line: int = 0
    column: int = 0
    table: str = ""
    key: str = ""
    reason: str
    suggestion: str = ""
    excerpt: tuple[str, ...] = ()

    def __str__(self) -> str:
        numbers = f":{self.line}:{self.column}" if self.line else ""
        where = " ".join(part for part in (f"[{self.table}]" if self.table else "", self.key) if part)
        said = f"{where}: {self.reason}" if where else self.reason
        return f"{self.source}{numbers}: {said}{'. ' + self.suggestion if self.suggestion else ''}"


class ConfigurationError(Exception):
    """The configuration cannot be used, for `mistakes`, of which there is at least one.

    `str()` is all of them with their excerpts, a line of its own each.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = in_order(mistakes)
        super().__init__("\n".join(map(spelled_out, self.mistakes)))


def in_order(mistakes: Iterable[Mistake]) -> tuple[Mistake, ...]:
    """The mistakes as a reader of the file meets them."""
    return tuple(sorted(mistakes, key=lambda mistake: (mistake.line, mistake.column)))


def spelled_out(mistake: Mistake) -> str:
    """The mistake and its excerpt, on as many lines as they need."""
    return "\n".join((str(mistake), *mistake.excerpt))


class Finding(msgspec.Struct, frozen=True):
    """What is wrong at `path`, which begins wherever its finder began, and what to do about it.

    With `at_key` it is the key that is wrong, not its value.
    """

    path: tuple[str | int, ...]
    reason: str
    suggestion: str
    at_key: bool = False

    def below(self, *path: str) -> "Finding":
        """The same, its path beginning further out."""
        return msgspec.structs.replace(self, path=(*path, *self.path))
