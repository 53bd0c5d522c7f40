"""Unique marker strings to plant in secrets and texts, and a search for where they have come out."""

import base64
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

HALF_LENGTH = 12

type Places = Mapping[str, str | bytes] | Iterable[str | bytes]


@dataclass(frozen=True)
class Canary:
    """One marker: `text` is what to plant; any of `traces` gives it away.

    Its random part is searched for by halves, because a store may cut a text at a page boundary, and each half also
    in base64, at any alignment.
    """

    label: str
    text: str
    halves: tuple[str, str]

    @property
    def traces(self) -> Iterator[bytes]:
        for half in self.halves:
            plain = half.encode()
            yield plain
            for shift in range(3):
                yield _aligned_base64(plain, shift)


@dataclass(frozen=True)
class Canaries:
    """A set of markers for one test."""

    caller_key: Canary
    provider_key: Canary
    prompt: Canary
    completion: Canary
    tag: Canary

    @classmethod
    def fresh(cls) -> "Canaries":
        """New markers, in the shape of what they are planted as; all are lower-case letters, digits and dashes."""
        return cls(
            caller_key=make("caller_key", "lr-canary-"),
            provider_key=make("provider_key", "sk-canary-"),
            prompt=make("prompt", "prompt-canary-"),
            completion=make("completion", "completion-canary-"),
            tag=make("tag", "tag-canary-"),
        )

    def __iter__(self) -> Iterator[Canary]:
        for each in fields(self):
            yield getattr(self, each.name)


@dataclass(frozen=True)
class Sighting:
    """Where a marker came out."""

    label: str
    place: str
    offset: int


def make(label: str, prefix: str = "") -> Canary:
    """One new marker."""
    first, second = secrets.token_hex(HALF_LENGTH // 2), secrets.token_hex(HALF_LENGTH // 2)
    return Canary(label, f"{prefix}{first}{second}", (first, second))


def search(canaries: Iterable[Canary], *, paths: Iterable[Path] = (), texts: Places = ()) -> list[Sighting]:
    """Every place in which a marker is found, in any letter case: once per marker and place.

    `paths` are files, or folders with all they contain; `texts` are texts or bytes, which a mapping gives names.
    """
    wanted = [(canary, tuple(trace.lower() for trace in canary.traces)) for canary in canaries]
    return [
        Sighting(canary.label, place, min(offsets))
        for place, content in _places(paths, texts)
        for canary, traces in wanted
        if (offsets := [at for trace in traces if (at := content.find(trace)) >= 0])
    ]


def _places(paths: Iterable[Path], texts: Places) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            yield str(file), file.read_bytes().lower()
    named = (
        texts.items() if isinstance(texts, Mapping) else ((f"text {n}", text) for n, text in enumerate(texts))
    )
    for name, text in named:
        yield name, (text.encode("utf-8", "replace") if isinstance(text, str) else text).lower()


def _aligned_base64(data: bytes, shift: int) -> bytes:
    """The characters of base64 that depend on the data alone when `shift` unknown bytes stand before it."""
    encoded = base64.b64encode(b"\0" * shift + data)
    first = -(-shift * 8 // 6)
    last = (shift + len(data)) * 8 // 6
    return encoded[first:last]
