"""What to say of a value that does not fit: from a validator's message to a reason and a suggestion."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from msgspec import inspect

from relay.settings.mistakes import Finding
from relay.settings.places import Path
from relay.settings.tree import LATER_KEYS, LATER_WORDS

_PLACE = re.compile(r" - at (?:`key` in )?`\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")
_QUOTED = re.compile(r"`([^`]+)`")
_INVALID = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_SYNONYMS = {
    "type": "kind",
    "provider": "kind",
    "url": "base_url",
    "key": "api_key",
    "token": "api_key",
    "alias": "target",
    "model": "target",
}
"""What other programs call it."""


def fitting(message: str, kind: object, at: Path = ()) -> Finding:
    """What msgspec's `message` says of the value at `at` of what was to be of type `kind`.

    The finding does not tell what the value was.
    """
    place = _PLACE.search(message)
    steps = _STEP.findall(place[1]) if place else []
    path = (*at, *(name or int(index) for name, index in steps if name or index))
    reason = message[: place.start()] if place else message
    return _explained(reason, path, _type_at(inspect.type_info(kind), path))


def unknown_key(key: str, known: Iterable[str], later: Mapping[str, str]) -> tuple[str, str]:
    """Reason and suggestion for a key that is none of `known`; `later` are keys whose feature is not there yet."""
    if feature := later.get(key):
        return f"not in this version: {feature}", "Leave it out."
    names = tuple(known)
    like = key.lower().replace("-", "_")
    synonym = _SYNONYMS.get(like)
    near = [synonym] if synonym in names else get_close_matches(like, (*names, *later), 1, 0.5)
    if not near:
        return "unknown key", f"Known: {', '.join(names)}."
    if near[0] in later:
        return "unknown key", f'Did you mean "{near[0]}"? That is not in this version: {later[near[0]]}.'
    return "unknown key", f'Did you mean "{near[0]}"?'


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The suggestion for a word that is none of `known`, which are few."""
    names = tuple(known)
    near = get_close_matches(word.lower(), names, 1, 0.5)
    return f'Did you mean "{near[0]}"?' if near else f"Known: {', '.join(names)}."


def _explained(reason: str, path: Path, kind: inspect.Type | None) -> Finding:
    quoted = _QUOTED.findall(reason)
    if reason.startswith("Object contains unknown field"):
        return Finding((*path, quoted[0]), *unknown_key(quoted[0], *_known(kind)), at_key=True)
    if reason.startswith("Object missing required field"):
        return Finding((*path, quoted[0]), "is missing", f'Add {quoted[0]} = "…".')
    if invalid := _INVALID.match(reason):
        return Finding(path, *_none_of(invalid[1], kind))
    if reason.endswith("of length >= 1"):
        return Finding(path, "is empty", "Give it a value, or leave the key out.")
    if len(quoted) == 2:
        wanted = quoted[0].removesuffix(" | null")
        return Finding(
            path, f"must be {_said(wanted)}, not {_said(quoted[1])}", _how(wanted, quoted[1], kind)
        )
    return Finding(path, "is out of range", f"It is {_bounds(kind)}.")


def _said(kind: str) -> str:
    return _WORDS.get(kind, kind)


def _how(wanted: str, given: str, kind: inspect.Type | None) -> str:
    match wanted:
        case "str":
            return "Put it in quotes."
        case "array":
            return "Put it in brackets."
        case "object":
            required = [field.name for field in _fields(kind) if field.required]
            return f'Write {{ {required[0]} = "…" }}.' if required else "Write { KEY = VALUE }."
        case _:
            return "Write it without quotes." if given == "str" else f"Write {_said(wanted)}."


def _none_of(value: str, kind: inspect.Type | None) -> tuple[str, str]:
    words = [str(word) for word in kind.values] if isinstance(kind, inspect.LiteralType) else []
    listed = " or ".join(f'"{word}"' for word in words)
    if feature := LATER_WORDS.get(value):
        return f"not in this version: {feature}", f"Write {listed}."
    near = get_close_matches(value.lower(), words, 1, 0.5)
    return f"must be {listed}", f'Did you mean "{near[0]}"?' if near else f'Such as "{words[0]}".'


def _bounds(kind: inspect.Type | None) -> str:
    match kind:
        case inspect.IntType() | inspect.FloatType():
            limits = (
                ("more than", kind.gt),
                ("at least", kind.ge),
                ("less than", kind.lt),
                ("at most", kind.le),
            )
            return " and ".join(f"{words} {limit:g}" for words, limit in limits if limit is not None)
        case _:
            return ""


def _known(kind: inspect.Type | None) -> tuple[list[str], Mapping[str, str]]:
    later = LATER_KEYS.get(kind.cls, {}) if isinstance(kind, inspect.StructType) else {}
    return [field.name for field in _fields(kind)], later


def _fields(kind: inspect.Type | None) -> tuple[inspect.Field, ...]:
    return kind.fields if isinstance(kind, inspect.StructType) else ()


def _type_at(kind: inspect.Type, path: Path) -> inspect.Type | None:
    """The type of what stands at `path` of a value of type `kind`, as far as it can be told."""
    match kind:
        case inspect.Metadata(type=inner):
            return _type_at(inner, path)
        case inspect.UnionType(types=types):
            given = [inner for inner in types if not isinstance(inner, inspect.NoneType)]
            return _type_at(given[0], path) if len(given) == 1 else None
        case _ if not path:
            return kind
        case inspect.StructType(fields=fields):
            return next((_type_at(field.type, path[1:]) for field in fields if field.name == path[0]), None)
        case inspect.VarTupleType(item_type=inner) | inspect.ListType(item_type=inner):
            return _type_at(inner, path[1:])
        case inspect.DictType(value_type=inner):
            return _type_at(inner, path[1:])
        case _:
            return None
