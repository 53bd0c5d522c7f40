"""Runs the rounds: every target of a scenario in turn, forwards and backwards, so that drift hits all alike."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.figures import START
from benchmarks.measuring import Sample, measure
from benchmarks.processes import SETTLED_S, NotStarted, idle_pss_mb
from benchmarks.programs import Missing
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.targets import Fleet, Places, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to run: names of scenarios and targets (empty for all), how often and how long.

    The time is by default four lives of a stream whose chunks come 5 ms apart, so that as many begin as end.
    """

    scenarios: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    rounds: int = 3
    seconds: float = 1.28
    warm_s: float = 0.4
    places: Places = field(default_factory=Places)

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not (self.scenarios or self.targets)


@dataclass
class Runner:
    """Runs what is wanted; what cannot be started is told once and left out."""

    wanted: Wanted
    tell: Callable[[str], None]
    skipped: dict[str, str] = field(default_factory=dict)
    _rounds_run: int = 0

    def run(self, scenarios: Sequence[str], rounds: int) -> Iterator[Sample]:
        """Run these scenarios for so many rounds, numbered on from earlier ones. Raises `Missing`."""
        first = self._rounds_run
        self._rounds_run += rounds
        with ExitStack() as stack:
            fleet = Fleet(stack, self.wanted.places)
            if START in scenarios and self._wants("relay"):
                try:
                    yield from self._starts(fleet, range(first, first + rounds))
                except NotStarted as error:
                    self._skip("relay", error)
            chosen = [scenario for scenario in SCENARIOS if scenario.name in scenarios]
            for number in range(first, first + rounds):
                for scenario in chosen:
                    yield from self._turn(fleet, scenario, number)

    def _wants(self, target: str) -> bool:
        return not self.wanted.targets or target in self.wanted.targets

    def _turn(self, fleet: Fleet, scenario: Scenario, number: int) -> Iterator[Sample]:
        before = ("before",) if self.wanted.places.before and "relay" in scenario.targets else ()
        names = [name for name in (*scenario.targets, *before) if self._wants(name)]
        for target in self._started(fleet, names if number % 2 == 0 else names[::-1]):
            sample = measure(
                target, scenario, number=number, seconds=self.wanted.seconds, warm_s=self.wanted.warm_s
            )
            self.tell(_line(sample))
            yield sample

    def _started(self, fleet: Fleet, names: Iterable[str]) -> Iterator[Target]:
        for name in names:
            if name in self.skipped:
                continue
            try:
                yield fleet.target(name)
            except (Missing, NotStarted) as error:
                self._skip(name, error)

    def _skip(self, name: str, error: Exception) -> None:
        self.skipped[name] = str(error)
        self.tell(f"skipped {name}: {error}")

    def _starts(self, fleet: Fleet, numbers: Iterable[int]) -> Iterator[Sample]:
        with ExitStack() as unmeasured:  # compiles what has no bytecode yet, and fills the page cache
            fleet.started_relay(unmeasured)
        for number in numbers:
            with ExitStack() as stack:
                relay = fleet.started_relay(stack)
                time.sleep(SETTLED_S)
                memory = idle_pss_mb(relay.pid) if relay.pid else None
            sample = Sample(
                target="relay",
                scenario=START,
                round=number,
                first_answer_s=relay.first_answer_s,
                idle_pss_mb=memory,
            )
            self.tell(_line(sample))
            yield sample


def known_names() -> tuple[frozenset[str], frozenset[str]]:
    """The names of all scenarios and of all targets."""
    targets = frozenset(name for scenario in SCENARIOS for name in scenario.targets)
    return frozenset((START, *(scenario.name for scenario in SCENARIOS))), targets | {"before"}


def to_stderr(line: str) -> None:
    """Tell how far the run has come."""
    print(line, file=sys.stderr, flush=True)


def _line(sample: Sample) -> str:
    shown = {
        "us/request": sample.cpu_us_per_request,
        "us/chunk": sample.cpu_us_per_chunk,
        "requests/s": sample.requests_per_s,
        "p50 ms": sample.latency_p50_ms,
        "p99 ms": sample.latency_p99_ms,
        "transit ms": sample.transit_p50_ms,
        "first answer s": sample.first_answer_s,
        "PSS MB": sample.idle_pss_mb,
    }
    told = "  ".join(f"{name} {value:.2f}" for name, value in shown.items() if value is not None)
    wrong = f"  WRONG {sample.wrong}: {sample.what_was_wrong[:160]}" if sample.wrong else ""
    return f"{sample.round} {sample.scenario:13} {sample.target:12} {told}{wrong}"
