"""What is kept of answers so that later requests can go on from them, each caller's for itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from relay.application.calls import Caller

type KeptItem = tuple[str, bytes]
"""An item's id and its JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptResponse:
    """An answer with the whole conversation that led to it. `owner` is whose it is: see `owner_of`."""

    id: str
    owner: str
    json: bytes
    input: Sequence[KeptItem]
    output: Sequence[KeptItem]

    @property
    def history(self) -> list[bytes]:
        """The conversation up to and with this answer."""
        return [json for _, json in (*self.input, *self.output)]

    @property
    def size_bytes(self) -> int:
        """What it takes, without what Python adds."""
        return len(self.json) + sum(len(item_id) + len(json) for item_id, json in (*self.input, *self.output))


class ResponseStore(Protocol):
    """A bounded memory: what was kept may be gone at any time. Another caller's is as good as not there."""

    def keep(self, response: KeptResponse) -> None:
        """Keep it, or not, if it is too large."""
        ...

    def find(self, response_id: str, owner: str) -> KeptResponse | None:
        """The answer of this id."""
        ...

    def find_item(self, item_id: str, owner: str) -> bytes | None:
        """The item of this id, of any answer."""
        ...

    def drop(self, response_id: str, owner: str) -> bool:
        """Forget an answer; false when there is none."""
        ...


def owner_of(caller: Caller) -> str:
    """Who may go on from a caller's answers: the same key, or whoever calls without one."""
    return caller.key.public_id if caller.key else ""
