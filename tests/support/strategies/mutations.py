"""Damage: bytes that were once valid, broken as networks, proxies and imitators break them."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import cast

from hypothesis import strategies as st

type Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

SPLINTERS = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\n\n", b'"', b"\\", b"{", b"}", b"[", b",",
    b"null", b"NaN", b"-1", b"1e400", b"\\ud83d", b"data: ", b"[DONE]", b": ping\n\n", b'"error":{"message":"x"},',
)  # fmt: skip

WRONG: tuple[Json, ...] = (
    None, True, False, 0, -1, 1.5, 2**70, 1e300, "", "x", "\ud83d", "stop", [], [None], [[]], [{}], {}, {"": None},
    {"message": "m", "code": 5, "type": None}, ["a", 1], "9" * 40,
)  # fmt: skip
"""Values of the wrong type, the wrong size, or no type at all."""


@st.composite
def damaged(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Valid bytes with up to three cuts, insertions or swaps."""
    data = draw(valid)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 0, 1, 2, 10, 1000))))
        data = data[:start] + draw(st.sampled_from((b"", *SPLINTERS))) + data[end:]
    return data


@st.composite
def miswritten(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """Valid JSON with one or two values, anywhere inside, replaced by wrong ones, members dropped or doubled."""
    value = cast("Json", json.loads(draw(valid)))  # JSON is what these strategies give
    for _ in range(draw(st.integers(1, 2))):
        if places := _places(value):
            places[draw(st.integers(0, len(places) - 1))](deepcopy(draw(st.sampled_from(WRONG))))
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


def _places(value: Json) -> list[Callable[[Json], None]]:
    """A setter for every value inside of `value`."""
    match value:
        case dict():
            return [
                setter
                for key, inner in value.items()
                for setter in (_put_member(value, key), *_places(inner))
            ]
        case list():
            return [
                setter
                for index, inner in enumerate(value)
                for setter in (_put_item(value, index), *_places(inner))
            ]
        case _:
            return []


def _put_member(members: dict[str, Json], key: str) -> Callable[[Json], None]:
    return lambda wrong: members.__setitem__(key, wrong)


def _put_item(items: list[Json], index: int) -> Callable[[Json], None]:
    return lambda wrong: items.__setitem__(index, wrong)
