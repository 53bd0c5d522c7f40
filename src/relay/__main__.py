"""The command `relay`, and `python -m relay`."""

import os
import sys
from collections.abc import Sequence

from relay.adapters.inbound.cli.main import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. What the command needs is loaded when it is needed."""
    return run(_programs, arguments)


def _programs() -> object:
    from relay.programs import programs

    return programs(os.environ)


if __name__ == "__main__":
    sys.exit(main())
