"""The command `python -m benchmarks`: measures, prints the figures, and writes results and page."""

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.comparing import confirmed
from benchmarks.figures import FIGURES, TO_BEFORE
from benchmarks.measuring import Sample, as_plain
from benchmarks.outcomes import outcomes
from benchmarks.programs import BUILD, HERE, Missing, versions
from benchmarks.report import NOTHING, Results, from_json, page, terminal, to_json
from benchmarks.running import Runner, Wanted, known_names, to_stderr
from benchmarks.targets import Places

RESULTS = HERE / "results.json"
BASELINE = HERE / "baseline.json"
PAGE = HERE.parent / "docs" / "performance.md"


def main() -> int:
    """Run what the arguments ask for; the exit code, which is 1 when `--compare` found something worse."""
    options = _options()
    if options.page:
        PAGE.write_text(page(_stored(RESULTS)), encoding="utf-8")
        return 0
    wanted = _wanted(options)
    # As Ctrl-C does, so that the gateways are ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    _tell_circumstances()
    runner = Runner(wanted, to_stderr)
    scenarios, _ = known_names()
    asked = sorted(wanted.scenarios or scenarios)
    try:
        samples: Sequence[Sample] = list(runner.run(asked, wanted.rounds))
    except Missing as error:
        print(f"skipped everything: {error}")
        return 0
    is_worse, samples = _compared(runner, samples) if options.compare else (False, samples)
    _report(options, wanted, samples, runner)
    return int(is_worse)


def _compared(runner: Runner, samples: Sequence[Sample]) -> tuple[bool, Sequence[Sample]]:
    """Whether figures are worse than the baseline's, and the samples with those that it took to be sure."""
    if not BASELINE.exists():
        print(f"nothing to compare with: there is no {BASELINE.name}")
        return False, samples

    def again(scenarios: Sequence[str]) -> Iterator[Sample]:
        to_stderr(f"seems worse, measured again: {', '.join(scenarios)}")
        yield from runner.run(scenarios, 2 * runner.wanted.rounds)

    found, every = confirmed(samples, _stored(BASELINE).outcomes, again)
    print("\n".join(f"WORSE {item}" for item in found) or "no figure is worse than before")
    return bool(found), every


def _report(options: argparse.Namespace, wanted: Wanted, samples: Sequence[Sample], runner: Runner) -> None:
    found = outcomes(samples)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "samples.json").write_text("".join(f"{json.dumps(as_plain(sample))}\n" for sample in samples))
    print(terminal(outcomes(samples, (*FIGURES, *TO_BEFORE))))
    for name, why in sorted(runner.skipped.items()):
        print(f"skipped {name}: {why.splitlines()[0]}")
    if not (wanted.is_all or options.save):
        print("a part of the figures only: nothing was written (--save writes it)")
        return
    day = datetime.now(UTC).date().isoformat()
    results = _stored(RESULTS).updated(found, day, versions(wanted.places.litellm))
    RESULTS.write_text(to_json(results), encoding="utf-8")
    PAGE.write_text(page(_stored(RESULTS)), encoding="utf-8")  # of the rounded values, as `--page` writes it
    if options.save_baseline:
        shutil.copyfile(RESULTS, BASELINE)


def _stored(file: Path) -> Results:
    return from_json(file.read_text(encoding="utf-8")) if file.exists() else NOTHING


def _tell_circumstances() -> None:
    if not shutil.which("taskset"):
        to_stderr(
            "taskset is not installed: gateways and load share all cores, and the figures are worth little"
        )


def _wanted(options: argparse.Namespace) -> Wanted:
    scenarios, targets = known_names()
    return Wanted(
        scenarios=_names("--only", options.only, scenarios),
        targets=_names("--targets", options.targets, targets),
        rounds=options.rounds,
        seconds=options.seconds,
        places=Places(
            source=options.source.resolve(),
            before=options.before and options.before.resolve(),
            litellm=options.litellm and options.litellm.resolve(),
        ),
    )


def _names(option: str, text: str, known: frozenset[str]) -> frozenset[str]:
    names = frozenset(name for name in text.split(",") if name)
    if names - known:
        sys.exit(
            f"{option}: unknown {', '.join(sorted(names - known))}; there are {', '.join(sorted(known))}"
        )
    return names


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Wanted().rounds)
    parser.add_argument(
        "--seconds", type=float, default=Wanted().seconds, help="measured in each run, after the warm-up"
    )
    parser.add_argument("--only", default="", help="scenarios, separated by commas")
    parser.add_argument("--targets", default="", help="gateways, separated by commas")
    parser.add_argument(
        "--source", type=Path, default=HERE.parent, help="the checkout of the relay to measure"
    )
    parser.add_argument("--before", type=Path, help="another checkout, measured beside it in the same rounds")
    parser.add_argument("--litellm", type=Path, help="a virtual environment with LiteLLM's proxy")
    parser.add_argument("--compare", action="store_true", help="exit 1 when worse than the baseline")
    parser.add_argument("--save", action="store_true", help="write the results of a partial run, too")
    parser.add_argument("--save-baseline", action="store_true", help="make the results the baseline")
    parser.add_argument("--page", action="store_true", help="only write the page from the results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
