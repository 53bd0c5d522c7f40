"""Finds the figures that became worse than those of a stored run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import FIGURES, Figure
from benchmarks.measuring import Sample
from benchmarks.outcomes import Outcome, outcomes

TOLERANCE = 0.05
LEAST_MS = 0.05
"""A latency that changed by less than this did not change, however many per cent of a small number it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """A figure that is worse than before by `share` of what it was."""

    figure: Figure
    before: float
    now: float
    share: float

    def __str__(self) -> str:
        unit = self.figure.unit
        return f"{self.figure.name}: {self.now:.2f} {unit}, was {self.before:.2f} {unit} ({self.share:.0%} worse)"


def worse(now: Iterable[Outcome], before: Mapping[str, Outcome]) -> tuple[Worse, ...]:
    """The figures whose median is worse by more than the tolerance; noisy ones are not judged."""
    measured = {outcome.name: outcome for outcome in now}
    found = []
    for figure in FIGURES:
        new, old = measured.get(figure.name), before.get(figure.name)
        if figure.noisy or new is None or old is None or new.value is None or not old.value:
            continue
        loss = old.value - new.value if figure.more_is_better else new.value - old.value
        share = loss / abs(old.value)
        is_tiny = figure.unit == "ms" and loss < LEAST_MS
        if share > TOLERANCE and not is_tiny:
            found.append(Worse(figure=figure, before=old.value, now=new.value, share=share))
    return tuple(found)


def confirmed(
    samples: Sequence[Sample],
    before: Mapping[str, Outcome],
    again: Callable[[Sequence[str]], Iterable[Sample]],
) -> tuple[tuple[Worse, ...], tuple[Sample, ...]]:
    """The figures that are worse, and still are when all rounds count, with all samples that were taken.

    `again` runs further rounds of the scenarios of figures that seem worse: on a busy machine most of it is chance.
    """
    suspects = worse(outcomes(samples), before)
    if not suspects:
        return (), tuple(samples)
    scenarios = sorted({cell.scenario for suspect in suspects for cell in suspect.figure.cells})
    every = (*samples, *again(scenarios))
    names = {suspect.figure.name for suspect in suspects}
    return tuple(item for item in worse(outcomes(every), before) if item.figure.name in names), every
