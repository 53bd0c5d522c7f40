"""Keys and values are found wherever TOML lets them stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.settings.places import Path, Span, places_of

TEXT = '''# a = 1
[models."gpt-4.1"]
target = "x" # target = "y"
text = """
[not.a.table]
key = 1 \\""" """
[a]
b.c = 1
'd e' = { f = [ 1, { g = "2}" } ], h = 1979-05-27 07:32:00 }
many = [
  "one", # two
  [ [], "three" ],
]
[[list.of]]
x = 1
[[list.of]]
x = 2
[list.of.under]
y = 3
'''


def at(path: Path) -> tuple[str, str]:
    """The key and the value as they are spelled."""
    places = places_of(TEXT)
    key, value = places.keys[path], places.values[path]
    return TEXT[key.start : key.end], TEXT[value.start : value.end]


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("models", "gpt-4.1", "target"), "target", '"x"'),
        (("models", "gpt-4.1", "text"), "text", '"""\n[not.a.table]\nkey = 1 \\""" """'),
        (("a", "b", "c"), "c", "1"),
        (("a", "d e", "f"), "f", '[ 1, { g = "2}" } ]'),
        (("a", "d e", "f", 1, "g"), "g", '"2}"'),
        (("a", "d e", "h"), "h", "1979-05-27 07:32:00"),
        (("list", "of", 0, "x"), "x", "1"),
        (("list", "of", 1, "x"), "x", "2"),
        (("list", "of", 1, "under", "y"), "y", "3"),
    ],
)
def test_a_key_is_found_with_its_value(path: Path, key: str, value: str) -> None:
    assert at(path) == (key, value)


def test_members_of_lists_are_found_past_comments_and_line_ends() -> None:
    values = places_of(TEXT).values
    assert TEXT[slice(*values["a", "many", 0])] == '"one"'
    assert TEXT[slice(*values["a", "many", 1, 0])] == "[]"
    assert TEXT[slice(*values["a", "many", 1, 1])] == '"three"'


def test_a_table_is_found_at_each_of_its_names() -> None:
    keys = places_of(TEXT).keys
    assert TEXT[slice(*keys["models",])] == "models"
    assert TEXT[slice(*keys["models", "gpt-4.1"])] == '"gpt-4.1"'
    assert ("not",) not in keys


def test_what_is_not_there_is_looked_for_in_the_nearest_table_around_it() -> None:
    places = places_of("[a]\nb = { c = 1 }\n")
    assert places.value(("a", "b", "d")) == Span(4, 5)
    assert places.value(("a", "x")) == Span(1, 2)
    assert places.value(("y",)) is None


def test_an_own_header_is_the_place_of_a_table_rather_than_a_mention() -> None:
    assert places_of("[a.b]\n[a]\n").keys["a",] == Span(7, 8)


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        ("a = 1\nb = 2\na = 3\n", ("a",), Span(12, 13)),
        ("[a]\n[b]\n[a]\n", ("a",), Span(9, 10)),
        ("x = { y = 1, y = 2 }", ("x", "y"), Span(13, 14)),
        ("[[l]]\nx = 1\n[[l]]\nx = 1\nx = 1\n", ("l", 1, "x"), Span(24, 25)),
    ],
)
def test_what_is_there_twice_is_told(text: str, path: Path, place: Span) -> None:
    assert places_of(text).repeated == [(path, place)]


@pytest.mark.parametrize(
    ("text", "place"), [('a = 1\nb = "c\n', 10), ("a = [1,\n", 4), ("[a\nb = 1", 3), ("a =\n", 4), ("=", 0)]
)
def test_where_a_text_stops_being_readable_is_told(text: str, place: int) -> None:
    assert places_of(text).stopped_at == place


def test_a_bottomless_nesting_ends_the_search() -> None:
    assert places_of(f"a = {'[' * 150}1{']' * 150}").stopped_at is None
    assert places_of("a = " + "[" * 100_000).stopped_at == 205


@given(st.text(alphabet="ab.=[]{}\"'\\#,\n 1", max_size=60))
def test_any_text_is_looked_through(text: str) -> None:
    places = places_of(text)
    spans = [*places.keys.values(), *places.values.values()]
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
