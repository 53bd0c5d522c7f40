"""The ids of an answer and of its items, made from the scene's: codecs have no randomness."""

import re

from relay.adapters.dialects.openai_chat.ids import CallIds, DistinctIds

_TAIL_CHARACTERS = 24
_OTHER = re.compile(r"[^A-Za-z0-9]")


def response_id(scene_id: str) -> str:
    """The id of an answer, in OpenAI's spelling."""
    return scene_id if scene_id.startswith("resp_") else f"resp_{_OTHER.sub('', scene_id)}"


class ItemIds:
    """The ids of one answer's items: distinct, as clients keep items by them."""

    def __init__(self, scene_id: str) -> None:
        whole = response_id(scene_id)
        self._tail = _OTHER.sub("", whole.removeprefix("resp_"))[-_TAIL_CHARACTERS:]
        self._counts = {"msg": 0, "rs": 0, "fc": 0, "ctc": 0}
        self._reasoning = DistinctIds()
        self._calls = CallIds(self._tail)

    def message(self) -> str:
        """The id of the next message."""
        return self._made("msg")

    def function_call(self) -> str:
        """The id of the next function call's item."""
        return self._made("fc")

    def custom_call(self) -> str:
        """The id of the next custom tool call's item."""
        return self._made("ctc")

    def reasoning(self, given: str) -> str:
        """The id of the next reasoning: the provider's, if there is one."""
        return self._reasoning.of(given or self._made("rs"))

    def call(self, given: str) -> str:
        """The id that ties the next call to its result."""
        return self._calls.of(given)

    def _made(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}_{self._tail}_{self._counts[kind]}"
