"""The domain is quick to import, so that other programs can embed it, and a command quotes at once."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[4] / "src"
PROGRAM = """
import sys, time
begun = time.process_time()
import argparse, calendar, decimal, fractions, html, statistics, textwrap
standard = time.process_time() - begun
begun = time.process_time()
import relay.domain.pricing, relay.domain.money, relay.domain.usage
print(standard, time.process_time() - begun, "msgspec" in sys.modules)
"""
MUST_S = 0.030


def test_the_pricing_domain_imports_within_30_ms_of_processor_time(tmp_path: Path) -> None:
    """The best of three, compiled; on a slow machine, within four times some of the standard library's modules."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    runs = []
    for _ in range(3):
        ran = subprocess.run(
            [sys.executable, "-S", "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        standard, own, has_foreign = ran.stdout.split()
        assert has_foreign == "False"
        runs.append((float(own), float(standard)))
    assert min(own for own, _ in runs) <= max(MUST_S, 4 * min(standard for _, standard in runs)), runs
