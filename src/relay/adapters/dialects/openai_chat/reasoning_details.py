"""OpenRouter's `reasoning_details`: what its providers need back of their reasoning, kept as the seal of a thought.

The list goes back as it came: https://openrouter.ai/docs/use-cases/reasoning-tokens, "Preserving reasoning blocks".
A stream brings it in pieces: those of one `index` and `type` are one detail, their texts joined. A list without any
signature and without encrypted data says no more than the thought itself, and is no seal.
"""

from collections.abc import Iterable

import msgspec

from relay.adapters.dialects import lenient
from relay.domain.chat import JsonText, Thinking

_JOINED = ("text", "summary", "signature", "data")
_SEALING = ("signature", "data")

type Detail = dict[str, object]


def details_in(value: object) -> list[Detail] | None:
    """The details of a message or a delta; `None` where there is no list of them."""
    if not isinstance(value, list):
        return None
    return [item for item in value if isinstance(item, dict)]


class Details:
    """The details of one thought, put together from their pieces."""

    def __init__(self, pieces: Iterable[Detail] = ()) -> None:
        self._details: list[tuple[Detail, dict[str, list[str]]]] = []
        self._places: dict[tuple[int, str], int] = {}
        self.add(pieces)

    def add(self, pieces: Iterable[Detail]) -> None:
        """Put more pieces to those that are there."""
        for piece in pieces:
            detail, texts = self._details[self._place(piece)]
            for name, value in piece.items():
                if name in _JOINED and isinstance(value, str):
                    texts.setdefault(name, []).append(value)
                    detail.setdefault(name, value)
                elif value is not None or name not in detail:
                    detail[name] = value

    def sealed(self) -> JsonText:
        """The seal that the details are; empty where they seal nothing."""
        details = self._joined()
        if not any(detail.get(name) for detail in details for name in _SEALING):
            return ""
        return lenient.encode(details).decode()

    def thought(self) -> str:
        """The text of the details, for servers that give it nowhere else."""
        return thought_in(self._joined())

    def _joined(self) -> list[Detail]:
        return [
            {**detail, **{name: "".join(pieces) for name, pieces in texts.items()}}
            for detail, texts in self._details
        ]

    def _place(self, piece: Detail) -> int:
        """Where the detail is that a piece belongs to; one without an index is a detail of its own."""
        index, kind = piece.get("index"), piece.get("type")
        end = len(self._details)
        place = self._places.setdefault((index, str(kind)), end) if isinstance(index, int) else end
        if place == end:
            self._details.append(({}, {}))
        return place


def thought_in(details: Iterable[Detail]) -> str:
    """The text of some pieces."""
    texts = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def joined_seal(thoughts: Iterable[Thinking]) -> JsonText:
    """The one seal of several thoughts of this dialect; what is no list of details seals nothing."""
    details = Details()
    for thought in thoughts:
        if thought.origin == "openai.chat" and thought.sealed:
            try:
                details.add(details_in(lenient.loads(thought.sealed.encode())) or ())
            except (lenient.Undecodable, UnicodeEncodeError):
                continue
    return details.sealed()


def written(seal: JsonText) -> msgspec.Raw:
    """A seal of this dialect on the wire."""
    return msgspec.Raw(seal.encode())
