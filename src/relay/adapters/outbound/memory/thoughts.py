"""Thoughts kept in memory: a `ThoughtStore` bounded by number, bytes and age, the oldest going first."""

from collections import OrderedDict
from dataclasses import dataclass, field

from relay.application.ports import Clock
from relay.domain.thoughts import Thoughts

type _Place = tuple[str, str]
"""An owner and a key of a call."""


@dataclass(slots=True, kw_only=True)
class InMemoryThoughts:
    """At most `max_calls` of `max_bytes` in all, none larger than a quarter of that, for `ttl_s` seconds."""

    clock: Clock
    max_calls: int = 10_000
    max_bytes: int = 32 * 1024 * 1024
    ttl_s: float = 6 * 3600.0
    _kept: OrderedDict[_Place, tuple[float, Thoughts]] = field(default_factory=OrderedDict, init=False)
    _size_bytes: int = field(default=0, init=False)

    @property
    def is_empty(self) -> bool:
        """As `ThoughtStore.is_empty`."""
        return not self._kept

    def keep(self, owner: str, key: str, thoughts: Thoughts) -> None:
        """As `ThoughtStore.keep`."""
        self._drop((owner, key))
        if thoughts.size_bytes > self.max_bytes // 4:
            return
        self._kept[owner, key] = (self.clock.monotonic(), thoughts)
        self._size_bytes += thoughts.size_bytes
        self._make_room()

    def find(self, owner: str, key: str) -> Thoughts | None:
        """As `ThoughtStore.find`."""
        self._make_room()
        found = self._kept.get((owner, key))
        return found[1] if found is not None else None

    def _drop(self, place: _Place) -> None:
        found = self._kept.pop(place, None)
        if found is not None:
            self._size_bytes -= found[1].size_bytes

    def _make_room(self) -> None:
        oldest_s = self.clock.monotonic() - self.ttl_s
        while self._kept:
            place, (kept_s, _) = next(iter(self._kept.items()))
            fits = len(self._kept) <= self.max_calls and self._size_bytes <= self.max_bytes
            if fits and kept_s >= oldest_s:
                return
            self._drop(place)
