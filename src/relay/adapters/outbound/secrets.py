"""Providers' keys: where they come from, and a type that cannot be printed."""

import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

HIDDEN = "***"
MAX_FILE_BYTES = 64 * 1024

_USABLE = re.compile(r"[\x21-\x7e]+")
"""What can stand in a header: visible ASCII without blanks."""


class Secret:
    """A text that shows as `***` in any form but `reveal()`: print, format, traceback, JSON, pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be serialised")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A provider's key as found: the secret, or the problem that left none, and advice that is no problem."""

    secret: Secret | None = None
    problem: str = ""
    advice: str = ""


def find_key(reference: Secret | None, names: Sequence[str], environ: Mapping[str, str]) -> Key:
    """The key that `reference` points to: `env:NAME`, `file:/path`, or the key itself. Never raises.

    Without a reference the variables `names` are looked at, each first by itself, then as `NAME_FILE`, which
    names a file. Texts of problems name variables and files, never what is in them.
    """
    if reference is not None:
        return _referred(reference.reveal(), environ)
    for name in names:
        if environ.get(name, "").strip():
            return _from_environment(name, environ)
        if path := environ.get(f"{name}_FILE", "").strip():
            return _from_file(path)
    wanted = f": set {names[0]}" if names else ""
    return Key(problem=f"no key{wanted}")


def _referred(reference: str, environ: Mapping[str, str]) -> Key:
    kind, colon, rest = reference.partition(":")
    if colon and kind == "env":
        return _from_environment(rest, environ)
    if colon and kind == "file":
        return _from_file(rest)
    return _checked(reference, "the configured key")


def _from_environment(name: str, environ: Mapping[str, str]) -> Key:
    text = environ.get(name, "")
    return _checked(text, f"variable {name}") if text.strip() else Key(problem=f"no key: {name} is not set")


def _from_file(path: str) -> Key:
    file = Path(path).expanduser()
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES).decode("ascii", "replace")
        is_shared = bool(stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError as error:
        return Key(problem=f"no key: {path} cannot be read ({error.strerror or 'unknown reason'})")
    key = _checked(text, f"file {path}")
    advice = f"{path} can be read by others: chmod 600" if is_shared else ""
    return Key(secret=key.secret, problem=key.problem, advice=advice)


def _checked(text: str, source: str) -> Key:
    text = text.strip()
    if not text:
        return Key(problem=f"no key: {source} is empty")
    if _USABLE.fullmatch(text) is None:
        return Key(problem=f"no key: {source} holds characters that a key cannot have")
    return Key(secret=Secret(text))
