"""A figure is worse when it lost more than a twentieth, in the direction that hurts."""

import pytest

from benchmarks.comparing import scenarios_of, worse
from benchmarks.outcomes import Outcome


def measured(name: str, value: float | None) -> Outcome:
    return Outcome(name=name, value=value, low=0, high=0, rounds=3, spoiled=0)


@pytest.mark.parametrize(
    ("name", "before", "now", "is_worse"),
    [
        ("request-nginx", 6.0, 6.29, False),
        ("request-nginx", 6.0, 6.31, True),
        ("request-nginx", 6.0, 3.0, False),
        ("litellm-request", 80.0, 77.0, False),
        ("litellm-request", 80.0, 75.0, True),
        ("litellm-request", 80.0, 160.0, False),
        ("added-p99", 1.0, 9.0, False),  # the machine's, more than ours
        ("added-p50", 0.1, 0.14, False),  # 40 % of almost nothing
        ("added-p50", 0.4, 0.5, True),
    ],
)
def test_worse_is_more_than_five_per_cent_to_the_bad_side(
    name: str, before: float, now: float, is_worse: bool
) -> None:
    found = worse([measured(name, now)], {name: measured(name, before)})
    assert [item.figure.name for item in found] == ([name] if is_worse else [])


def test_what_is_new_or_gave_nothing_is_not_compared() -> None:
    assert worse([measured("request-nginx", 9.0)], {}) == ()
    assert worse([measured("request-nginx", None)], {"request-nginx": measured("request-nginx", 6.0)}) == ()
    assert worse([measured("request-nginx", 9.0)], {"request-nginx": measured("request-nginx", None)}) == ()


def test_it_says_what_it_was_and_is() -> None:
    (found,) = worse([measured("request-nginx", 9.0)], {"request-nginx": measured("request-nginx", 6.0)})
    assert str(found) == "request-nginx: 9.00 x, was 6.00 x (50% worse)"


def test_both_sides_of_a_suspect_are_measured_again() -> None:
    before = {name: measured(name, 1.0) for name in ("open-streams", "added-p50")}
    found = worse([measured("open-streams", 2.0), measured("added-p50", 2.0)], before)
    assert scenarios_of(found) == {"open-streams", "spread-streams", "single"}
