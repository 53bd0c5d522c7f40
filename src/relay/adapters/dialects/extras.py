"""Extras, fields of a request that one dialect alone has a name for: written back in it, a loss in any other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from relay.adapters.dialects import splice
from relay.adapters.dialects.lenient import settled
from relay.domain.chat import DialectName, JsonText

NOTHING = ("null",)
NO_LIST = (*NOTHING, "[]")
EMPTY = (*NO_LIST, "{}")
"""Values that say no more than a field that is not there, in ever more dialects' eyes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """How `dialect` treats extras; those whose value is in `absent` are as if they were not there.

    With `nested_lost`, its own that lie within a field (`parent.name`) are read and told, but not written.
    """

    dialect: DialectName
    absent: tuple[str, ...]
    nested_lost: bool = False

    def written(self, extras: Mapping[DialectName, Mapping[str, JsonText]]) -> dict[str, JsonText]:
        """Those that are written, as they are read back."""
        own = extras.get(self.dialect, {})
        return {
            name: text
            for name, raw in own.items()
            if not (self.nested_lost and "." in name) and (text := settled(raw)) not in self.absent
        }

    def losses(self, extras: Mapping[DialectName, Mapping[str, JsonText]]) -> Iterator[str]:
        """The names of those that are not written: another dialect's begin with its name."""
        for dialect, fields in extras.items():
            for name, text in fields.items():
                if dialect == self.dialect:
                    if self.nested_lost and "." in name:
                        yield name
                elif text.strip() not in self.absent:
                    yield f"{dialect}:{name}"


def with_extras(payload: bytes, extras: Mapping[str, JsonText]) -> bytes:
    """A body with these fields at its top level."""
    if not extras:
        return payload
    members = splice.top_level(payload)
    members |= {name: msgspec.Raw(text.encode()) for name, text in extras.items()}
    return splice.assemble(members)
