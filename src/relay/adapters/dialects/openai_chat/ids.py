"""Identifiers that have to be made up, always the same for the same call: codecs have no randomness."""

import re
from hashlib import sha256

MAX_ID_CHARACTERS = 64
"""OpenAI refuses longer ids of tool calls."""

_TAIL_CHARACTERS = 20
_OTHER = re.compile(r"[^A-Za-z0-9]")


def completion_id(scene_id: str) -> str:
    """The id of an answer, in OpenAI's spelling."""
    return scene_id if scene_id.startswith("chatcmpl-") else f"chatcmpl-{scene_id}"


class DistinctIds:
    """Ids of which none is given twice: the second of a kind is numbered."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def __contains__(self, wanted: str) -> bool:
        return wanted in self._taken

    def of(self, wanted: str) -> str:
        """`wanted`, or its first numbered variant that is not taken."""
        found, number = wanted, self._numbers.get(wanted, 1)
        while found in self._taken:
            number += 1
            found = f"{wanted}_{number}"
        self._numbers[wanted] = number
        self._taken.add(found)
        return found


def fitting(call_id: str) -> str:
    """An id within the limit: a longer one keeps its beginning and gets a hash of the whole."""
    if len(call_id) <= MAX_ID_CHARACTERS:
        return call_id
    digest = sha256(call_id.encode()).hexdigest()[:16]
    return f"{call_id[: MAX_ID_CHARACTERS - 17]}_{digest}"


class CallIds:
    """The ids of one answer's tool calls: distinct, and made from the answer's own id where one is missing."""

    def __init__(self, scene_id: str, prefix: str = "call") -> None:
        self._prefix = prefix
        self._tail = _OTHER.sub("", scene_id)[-_TAIL_CHARACTERS:]
        self._ids = DistinctIds()
        self._count = 0

    def of(self, call_id: str) -> str:
        """The id to write for the next call."""
        self._count += 1
        return self._ids.of(call_id or f"{self._prefix}_{self._tail}_{self._count}")
