"""Values on the path of every request: immutable to the type checker, cheap at run time, used over and over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import dataclass_transform


class ByIdentity[K, V]:
    """Remembers what `make` made of an object, by the object itself: comparing values would take longer."""

    def __init__(self, make: Callable[[K], V], kept: int) -> None:
        self._make = make
        self._kept = kept
        self._made: dict[int, tuple[K, V]] = {}

    def __call__(self, key: K) -> V:
        """What was made of it, now or before."""
        found = self._made.get(id(key))
        if found is not None and found[0] is key:
            return found[1]
        if len(self._made) >= self._kept:
            self._made.clear()
        made = self._make(key)
        self._made[id(key)] = (key, made)
        return made


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value[T](cls: type[T]) -> type[T]:
    """A dataclass with slots whose fields are given by keyword, compared and hashed by them.

    The type checker refuses to assign to a field. At run time nothing does: a frozen dataclass takes three times as
    long to make, and a call makes dozens of these.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
