"""What the rounds say of the figures: the median of what each round gave, its spread, and the verdict."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.figures import FIGURES, Figure, Kind
from benchmarks.measuring import Sample

type Verdict = Literal["pass", "fail", "wrong answers", "-"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A figure's median over the rounds with its spread; `value` is None when each round had wrong answers.

    `spoiled` rounds had some and do not count.
    """

    name: str
    value: float | None
    low: float
    high: float
    rounds: int
    spoiled: int


def outcomes(samples: Iterable[Sample], figures: Sequence[Figure] = FIGURES) -> tuple[Outcome, ...]:
    """Each figure that these samples give, computed round by round, as the rounds are interleaved."""
    known = {(sample.target, sample.scenario, sample.round): sample for sample in samples}
    rounds = sorted({number for _, _, number in known})
    found = (_outcome(figure, known, rounds) for figure in figures)
    return tuple(outcome for outcome in found if outcome)


def verdict(figure: Figure, outcome: Outcome) -> Verdict:
    """Whether the median keeps to what it must be."""
    if outcome.value is None:
        return "wrong answers"
    if figure.must is None:
        return "-"
    return "pass" if figure.meets(outcome.value, figure.must) else "fail"


def _outcome(
    figure: Figure, known: dict[tuple[str, str, int], Sample], rounds: Sequence[int]
) -> Outcome | None:
    values, spoiled = [], 0
    for number in rounds:
        samples = [known.get((cell.target, cell.scenario, number)) for cell in figure.cells]
        there = [sample for sample in samples if sample]
        if len(there) < len(samples):
            continue
        measured = [getattr(sample, figure.measure) for sample in there]
        if any(sample.wrong for sample in there) or None in measured:
            spoiled += 1
            continue
        values.append(_value(figure.kind, measured))
    if not values and not spoiled:
        return None
    return Outcome(
        name=figure.name,
        value=statistics.median(values) if values else None,
        low=min(values, default=0.0),
        high=max(values, default=0.0),
        rounds=len(values),
        spoiled=spoiled,
    )


def _value(kind: Kind, measured: Sequence[float]) -> float:
    match kind:
        case "ratio":
            return measured[0] / measured[1]
        case "added":
            return measured[0] - measured[1]
        case "plain":
            return measured[0]
