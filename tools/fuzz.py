"""Breaks real bodies at random, from a seed, and holds every decoder to its two declared errors: `make fuzz`.

A request's decoder may say that its client is at fault, an answer's that its provider is; anything else that
escapes, and whatever takes longer than it may, is a bug.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random  # noqa: TID251 - from a seed, to be repeated

from tools.breaking import broken
from tools.fuzz_targets import Target, targets

MOST_SECONDS = 540.0
SLOW_S = 2.0
"""Of processor time for one body: hundreds of times what any of this size needs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A body that a decoder failed on: `why` names what escaped, or how long it took."""

    target: str
    why: str
    body: bytes


def fuzz(
    seed: int,
    everything: Sequence[Target],
    *,
    seconds: float = MOST_SECONDS,
    rounds: int | None = None,
) -> Iterator[Finding]:
    """Break bodies until the time, or the number of rounds, is over; a round is a body for each decoder."""
    chance = Random(seed)
    ends_at = time.monotonic() + seconds
    for number in count():
        if number == rounds:
            return
        for target in everything:
            if time.monotonic() >= ends_at:
                return
            body = broken(chance.choice(target.bodies), chance)
            if (why := _escaped(target, body, chance)) is not None:
                yield Finding(target.name, why, body)


def _escaped(target: Target, body: bytes, chance: Random) -> str | None:
    """What escapes the decoder besides its declared error."""
    began = time.process_time()
    try:
        target.read(body, chance)
    except target.declared:
        pass
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    took_s = time.process_time() - began
    return f"took {took_s:.1f} s" if took_s > SLOW_S else None


def main() -> None:
    """Fuzz, write what was found beside the fixtures' names, and fail when there is any."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=MOST_SECONDS)
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    asked = parser.parse_args()
    seed = asked.seed or time.time_ns() % 2**32
    everything = targets()
    sys.stderr.write(f"seed {seed}, {len(everything)} decoders, {asked.seconds:.0f} s\n")
    found = 0
    seconds = min(asked.seconds, MOST_SECONDS)
    for number, finding in enumerate(fuzz(seed, everything, seconds=seconds), start=1):
        file = Path(f"fuzz-{seed}-{number}.bin")
        file.write_bytes(finding.body)
        sys.stderr.write(f"{finding.target}: {finding.why} ({file})\n")
        found = number
    if found:
        sys.exit(f"{found} bodies were read otherwise than declared")


if __name__ == "__main__":
    main()
