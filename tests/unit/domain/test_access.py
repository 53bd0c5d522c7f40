"""What a key reaches."""

import pytest

from relay.domain.access import reached
from relay.domain.catalog import Target
from relay.domain.keys import KeyRecord

ONE, TWO = Target(provider="up", model="One"), Target(provider="oll", model="two:8b")


def key(*models: str) -> KeyRecord:
    return KeyRecord(public_id="a", name="k", digest=b"", models=models)


@pytest.mark.parametrize("caller", [None, key()])
def test_without_a_list_everything_is_reached(caller: KeyRecord | None) -> None:
    assert reached(caller, "fast", (ONE, TWO)) == (ONE, TWO)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("fast",), (ONE, TWO)),
        (("FAST:latest",), (ONE, TWO)),
        (("f*",), (ONE, TWO)),
        (("up/*",), (ONE,)),
        (("UP/one", "oll/two:8b"), (ONE, TWO)),
        (("one",), ()),
        (("other",), ()),
    ],
)
def test_a_pattern_fits_the_name_or_a_target_in_any_spelling(
    patterns: tuple[str, ...], expected: tuple[Target, ...]
) -> None:
    assert reached(key(*patterns), "fast", (ONE, TWO)) == expected
