"""Time that a test moves by hand."""

from dataclasses import dataclass

STARTED_NS = 1_787_338_102_000_000_000  # 2026-08-21T18:48:22Z


@dataclass
class HandClock:
    """Unix nanoseconds."""

    now_ns: int = STARTED_NS

    def __call__(self) -> int:
        return self.now_ns
