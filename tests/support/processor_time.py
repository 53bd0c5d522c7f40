"""Processor time of other processes: what does not depend on how busy the machine is, as far as anything can."""

import os
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.process import clean_environment

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def processor_s(command: Sequence[str], folder: Path) -> float:
    """Run a command to its good end; the seconds of processor time it took."""
    process = subprocess.Popen(
        command, cwd=folder, env=clean_environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, process.stderr and process.stderr.read()
    return usage.ru_utime + usage.ru_stime


def processor_s_of(pid: int) -> float:
    """The seconds of processor time that a running process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def medians(commands: Sequence[Sequence[str]], folder: Path, rounds: int) -> list[float]:
    """The median processor time of each command, all run in turn, after one round that counts for nothing."""
    for command in commands:
        processor_s(command, folder)
    taken = [[processor_s(command, folder) for command in commands] for _ in range(rounds)]
    return [statistics.median(times) for times in zip(*taken, strict=True)]
