"""Figures follow from the rounds: ratios round by round, and nothing from a wrong answer."""

import pytest

from benchmarks.figures import FIGURES, START, TO_BEFORE, Figure
from benchmarks.measuring import Sample
from benchmarks.outcomes import Outcome, outcomes, verdict
from benchmarks.scenarios import SCENARIOS


def request(target: str, number: int, us: float, wrong: int = 0) -> Sample:
    return Sample(target=target, scenario="requests", round=number, wrong=wrong, cpu_us_per_request=us)


def figure(name: str) -> Figure:
    return next(figure for figure in FIGURES if figure.name == name)


def outcome(name: str, *samples: Sample) -> Outcome | None:
    return next((found for found in outcomes(samples) if found.name == name), None)


def test_a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians() -> None:
    found = outcome(
        "request-nginx",
        *(request("relay", 0, 100), request("nginx", 0, 20)),  # a quiet round: 5
        *(request("relay", 1, 300), request("nginx", 1, 50)),  # the machine was busy for both: 6
        *(request("relay", 2, 90), request("nginx", 2, 30)),  # 3
    )
    assert found == Outcome(name="request-nginx", value=5.0, low=3.0, high=6.0, rounds=3, spoiled=0)


def test_a_round_with_a_wrong_answer_on_either_side_does_not_count() -> None:
    found = outcome(
        "request-nginx",
        *(request("relay", 0, 10, wrong=1), request("nginx", 0, 20)),
        *(request("relay", 1, 10), request("nginx", 1, 20, wrong=3)),
        *(request("relay", 2, 100), request("nginx", 2, 20)),
    )
    assert found is not None
    assert (found.value, found.rounds, found.spoiled) == (5.0, 1, 2)


def test_a_gateway_that_is_always_wrong_has_no_value_and_does_not_pass() -> None:
    found = outcome("request-nginx", request("relay", 0, 1, wrong=1), request("nginx", 0, 20))
    assert found is not None
    assert found.value is None
    assert verdict(figure("request-nginx"), found) == "wrong answers"


def test_a_figure_whose_other_side_was_not_measured_is_left_out() -> None:
    assert outcome("request-nginx", request("relay", 0, 100)) is None
    assert outcome("request-nginx", request("relay", 0, 100), request("nginx", 1, 20)) is None


def test_added_latency_is_a_difference() -> None:
    asked = {"scenario": "single", "round": 0}
    found = outcome(
        "added-p50",
        Sample(target="relay", latency_p50_ms=0.75, **asked),  # type: ignore[arg-type]
        Sample(target="direct", latency_p50_ms=0.25, **asked),  # type: ignore[arg-type]
    )
    assert found is not None
    assert found.value == 0.5


def test_a_start_stands_for_itself() -> None:
    found = outcome("first-answer", Sample(target="relay", scenario=START, round=0, first_answer_s=1.5))
    assert found is not None
    assert found.value == 1.5


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("request-nginx", 7.0, "pass"),
        ("request-nginx", 7.01, "fail"),
        ("litellm-request", 40.0, "pass"),
        ("litellm-request", 39.9, "fail"),
        ("saturated-nginx", 100.0, "-"),
    ],
)
def test_a_limit_is_a_bound_from_the_side_that_hurts(name: str, value: float, said: str) -> None:
    found = Outcome(name=name, value=value, low=value, high=value, rounds=1, spoiled=0)
    assert verdict(figure(name), found) == said


def test_every_figure_has_its_own_name_and_cells_that_are_measured() -> None:
    names = [figure.name for figure in (*FIGURES, *TO_BEFORE)]
    assert len(names) == len(set(names))
    measured = {(target, scenario.name) for scenario in SCENARIOS for target in scenario.targets}
    measured |= {("relay", START)}
    needed = {(cell.target, cell.scenario) for figure in FIGURES for cell in figure.cells}
    assert needed == measured, "a cell without a figure is time spent for nothing"


def test_a_ratio_and_a_difference_have_two_sides_and_the_plain_ones_have_one() -> None:
    assert [figure.name for figure in FIGURES if (figure.kind == "plain") is not (figure.over is None)] == []


def test_the_promised_figures_have_their_limits() -> None:
    limits = {figure.name: figure.must for figure in FIGURES if figure.must is not None}
    assert limits == {
        "request-nginx": 7,
        "chunk-nginx": 3,
        "request-go": 1.3,
        "litellm-request": 40,
        "litellm-chunk": 15,
        "cross-dialect": 1.5,
        "cross-anthropic": 1.5,
        "cross-gemini": 1.5,
        "catalogue": 1.2,
        "open-streams": 1.2,
        "added-p50": 0.8,
        "added-p99": 3,
        "first-answer": 2,
        "idle-memory": 100,
    }


def test_another_checkout_is_compared_wherever_the_relay_is_asked() -> None:
    samples = [
        Sample(target=target, scenario="streams", round=0, cpu_us_per_chunk=us)
        for target, us in (("relay", 60.0), ("before", 80.0))
    ]
    assert [(found.name, found.value) for found in outcomes(samples, TO_BEFORE)] == [("before-streams", 0.75)]
