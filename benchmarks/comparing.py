"""Finds the figures that became worse than those of a stored run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.figures import FIGURES, Figure
from benchmarks.outcomes import Outcome

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


def scenarios_of(found: Iterable[Worse]) -> frozenset[str]:
    """The scenarios to run again to see whether it was chance."""
    return frozenset(cell.scenario for item in found for cell in item.figure.cells)
