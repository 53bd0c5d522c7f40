"""The bytes of a listing, made once for as long as the cards behind it stay the same.

Clients ask for listings at every start and in every picker; with thousands of models, writing them out takes far
longer than sending them.
"""

from collections.abc import Callable

from relay.adapters.dialects import lenient
from relay.application.list_models import ModelCard

_MAX_KEPT = 4
"""Each may be a megabyte. Mostly one is in use: callers without an allow-list share it."""


class EncodedListing:
    """One listing as JSON. `shape` says what is encoded for some cards; it must depend on nothing else."""

    def __init__(self, shape: Callable[[tuple[ModelCard, ...]], object]) -> None:
        self._shape = shape
        # By identity; the cards are kept beside their bytes, so that no other tuple can get their identity.
        self._kept: dict[int, tuple[tuple[ModelCard, ...], bytes]] = {}

    def __call__(self, cards: tuple[ModelCard, ...]) -> bytes:
        """The bytes for these very cards."""
        if (kept := self._kept.get(id(cards))) is not None:
            return kept[1]
        body = lenient.encode(self._shape(cards))
        if len(self._kept) == _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[id(cards)] = (cards, body)
        return body
