"""Schemas as a family of models takes them, from JSON Schema as tool authors write it.

Newer models take nearly all of it, but for the member that says which draft it is. Older ones know a part of
OpenAPI's (https://ai.google.dev/api/caching#Schema) and refuse every other word.
"""

from collections.abc import Mapping

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.gemini_generate.families import Family
from relay.adapters.dialects.lenient import settled
from relay.domain.chat import JsonText

_DRAFT = "$schema"
_WORDS = frozenset(
    {
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "default",
        "example",
        "items",
        "minItems",
        "maxItems",
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "propertyOrdering",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "anyOf",
    }
)


def fitting_schema(schema: JsonText, family: Family) -> JsonText:
    """The schema without what is refused; its spelling is kept where nothing is. A fixed point."""
    text = settled(schema)
    if family.json_schema:
        return _without_draft(text)
    try:
        plain = _plain(lenient.loads(text.encode()))
    except (lenient.Undecodable, RecursionError):
        return text
    return lenient.encode(plain).decode()


def _without_draft(text: JsonText) -> JsonText:
    if f'"{_DRAFT}"' not in text:
        return text
    try:
        members = splice.top_level(text.encode())
    except lenient.Undecodable:
        return text
    if members.pop(_DRAFT, None) is None:
        return text
    return splice.assemble(members).decode()


def _plain(schema: object) -> object:
    """A schema of known words alone; one of several types is of the first, or may be null."""
    if not isinstance(schema, dict):
        return schema
    plain: dict[str, object] = {}
    for word, value in schema.items():
        match word:
            case "properties" if isinstance(value, dict):
                plain[word] = {name: _plain(inner) for name, inner in value.items()}
            case "items":
                plain[word] = _plain(value)
            case "anyOf" if isinstance(value, list):
                plain[word] = [_plain(inner) for inner in value]
            case "type" if isinstance(value, list):
                plain |= _one_type(value)
            case _:
                if word in _WORDS:
                    plain[word] = value
    return plain


def _one_type(types: list[object]) -> Mapping[str, object]:
    named = [each for each in types if each != "null"]
    told: dict[str, object] = {"type": named[0]} if named else {}
    return told | ({"nullable": True} if len(named) < len(types) else {})
