"""A figure is worse when it lost more than a twentieth, in the direction that hurts."""

from collections.abc import Sequence

import pytest

from benchmarks.comparing import confirmed, worse
from benchmarks.measuring import Sample
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


def request(number: int, relay_us: float, nginx_us: float) -> list[Sample]:
    asked = (("relay", relay_us), ("nginx", nginx_us))
    return [
        Sample(target=target, scenario="requests", round=number, cpu_us_per_request=us)
        for target, us in asked
    ]


BEFORE = {"request-nginx": measured("request-nginx", 6.0)}


def test_what_was_chance_is_forgiven_when_measured_again() -> None:
    asked: list[Sequence[str]] = []

    def again(scenarios: Sequence[str]) -> list[Sample]:
        asked.append(scenarios)
        return [*request(1, 60, 10), *request(2, 61, 10)]

    found, every = confirmed(request(0, 90, 10), BEFORE, again)
    assert found == ()
    assert asked == [["requests"]]
    assert len(every) == 6


def test_what_is_worse_stays_worse() -> None:
    found, _ = confirmed(request(0, 90, 10), BEFORE, lambda _: [*request(1, 80, 10), *request(2, 81, 10)])
    assert [(item.figure.name, item.now) for item in found] == [("request-nginx", 8.1)]


def test_nothing_is_measured_again_without_a_suspicion() -> None:
    def again(scenarios: Sequence[str]) -> list[Sample]:
        raise AssertionError(scenarios)

    assert confirmed(request(0, 60, 10), BEFORE, again) == ((), tuple(request(0, 60, 10)))


def test_both_sides_of_a_suspect_are_measured_again() -> None:
    asked: list[Sequence[str]] = []
    streams = [
        Sample(target="relay-wide", scenario="open-streams", round=0, cpu_us_per_chunk=20.0),
        Sample(target="relay", scenario="spread-streams", round=0, cpu_us_per_chunk=10.0),
    ]

    def again(scenarios: Sequence[str]) -> list[Sample]:
        asked.append(scenarios)
        return []

    confirmed(streams, {"open-streams": measured("open-streams", 1.0)}, again)
    assert asked == [["open-streams", "spread-streams"]]
