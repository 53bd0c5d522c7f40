"""Answers kept in memory: a `ResponseStore` bounded by number, bytes and age, the oldest going first."""

from collections import OrderedDict
from dataclasses import dataclass, field

from relay.application.kept_responses import KeptResponse
from relay.application.ports import Clock

MAX_KEPT = 2_000
"""The most answers that are kept."""

type _Place = tuple[str, str]
"""An owner and an id."""


@dataclass(slots=True, kw_only=True)
class InMemoryResponses:
    """At most `max_responses` of `max_bytes` in all, none larger than a quarter of that, for `ttl_s` seconds."""

    clock: Clock
    max_responses: int = MAX_KEPT
    max_bytes: int = 64 * 1024 * 1024
    ttl_s: float = 24 * 3600.0
    _kept: OrderedDict[_Place, tuple[float, KeptResponse]] = field(default_factory=OrderedDict, init=False)
    _of_item: dict[_Place, str] = field(default_factory=dict, init=False)
    _size_bytes: int = field(default=0, init=False)

    def keep(self, response: KeptResponse) -> None:
        """As `ResponseStore.keep`."""
        self.drop(response.id, response.owner)
        size_bytes = response.size_bytes
        if size_bytes > self.max_bytes // 4:
            return
        self._kept[response.owner, response.id] = (self.clock.monotonic(), response)
        self._size_bytes += size_bytes
        self._of_item.update({(response.owner, item_id): response.id for item_id, _ in response.output})
        self._make_room()

    def find(self, response_id: str, owner: str) -> KeptResponse | None:
        """As `ResponseStore.find`."""
        self._make_room()
        found = self._kept.get((owner, response_id))
        return found[1] if found is not None else None

    def find_item(self, item_id: str, owner: str) -> bytes | None:
        """As `ResponseStore.find_item`."""
        response = self.find(self._of_item.get((owner, item_id), ""), owner)
        return dict(response.output).get(item_id) if response is not None else None

    def drop(self, response_id: str, owner: str) -> bool:
        """As `ResponseStore.drop`."""
        found = self._kept.pop((owner, response_id), None)
        if found is None:
            return False
        _, response = found
        self._size_bytes -= response.size_bytes
        for item_id, _ in response.output:
            if self._of_item.get((owner, item_id)) == response_id:
                del self._of_item[owner, item_id]
        return True

    def _make_room(self) -> None:
        oldest_s = self.clock.monotonic() - self.ttl_s
        while self._kept:
            (owner, response_id), (kept_s, _) = next(iter(self._kept.items()))
            fits = len(self._kept) <= self.max_responses and self._size_bytes <= self.max_bytes
            if fits and kept_s >= oldest_s:
                return
            self.drop(response_id, owner)
