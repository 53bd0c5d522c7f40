"""Text as models and callers write it: every character a codec must not trip over, and JSON as text."""

import json
from functools import cache

from hypothesis import strategies as st

SEPARATORS = ("\u2028", "\u2029", "\x85", "\r", "\n", "\r\n", "\n\n", '"', "\\", "😀")
"""What readers of lines split on, what JSON escapes, and what does not fit into two bytes."""

AWKWARD = (
    "\t", "\x00", "\x7f", "\ufeff", "\ufffd", "\uffff", "\\u2028", "/", "'", "data: [DONE]\n\n", "[DONE]",
    "event: error", ": ping", "<think>", "</think>", "👩‍👩‍👧", "🇩🇪", "é", "e\u0301", "مرحبا", "日本語", "\u202e",
    "{", "}", "null",
)  # fmt: skip
"""Framing words, emoji of several code points, combining and right-to-left characters, noncharacters."""


@cache
def texts(*, min_size: int = 0, max_pieces: int = 6) -> st.SearchStrategy[str]:
    """Text without lone surrogates, made of any characters and the awkward ones."""
    piece = st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=min_size, max_size=8),
        st.sampled_from(SEPARATORS),
        st.sampled_from(AWKWARD),
        st.sampled_from(("Hello", " world", "the answer is 42", ".")),
    )
    return st.lists(piece, min_size=min_size, max_size=max_pieces).map("".join)


words = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=10)
"""Identifiers: what dialects take for names of tools and ids."""

_numbers = st.one_of(
    st.integers(-(2**53), 2**53).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.sampled_from(("1.0", "1.50", "-0", "1e5", "1E+2", "0.1", "12345678901234567890")),
)
_leaves = st.one_of(
    st.sampled_from(("null", "true", "false", '""', "[]", "{}")),
    _numbers,
    texts(max_pieces=2).map(json.dumps),
    texts(max_pieces=2).map(lambda text: json.dumps(text, ensure_ascii=False)),
)


def _object(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.one_of(words, texts(max_pieces=1))
    return st.builds(_spelled, st.dictionaries(keys, children, max_size=4), st.sampled_from((":", ": ")))


def _spelled(members: dict[str, str], colon: str) -> str:
    return "{" + ",".join(f"{json.dumps(key)}{colon}{value}" for key, value in members.items()) + "}"


def _array(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(children, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")


json_texts = st.recursive(
    _leaves, lambda children: st.one_of(_object(children), _array(children)), max_leaves=6
)
"""Any JSON value, in numbers and spacings that a careless rewrite would change."""

json_objects = _object(json_texts)
"""A JSON object as text."""

SCHEMAS = (
    '{"type":"object","properties":{"city":{"type":"string","description":"The city\'s name"},'
    '"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["city"],"additionalProperties":false}',
    '{"type": "object", "properties": {"items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/i"}}},'
    ' "$defs": {"i": {"type": "object", "properties": {"n": {"type": ["integer", "null"], "maximum": 1e3}}}}}',
    '{"type":"object","properties":{}}',
    '{"type":"object","properties":{"where":{"anyOf":[{"type":"string","pattern":"^\\\\d{5}$"},{"type":"number"}]}},'
    '"required":["where"]}',
    '{"type":"object","properties":{"größe":{"type":"number","default":1.50,"exclusiveMinimum":0}}}',
)
"""JSON Schemas as tool authors write them."""

schemas = st.sampled_from(SCHEMAS)
