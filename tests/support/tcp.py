"""The connections of this machine, as Linux lists them."""

from pathlib import Path

ESTABLISHED = "01"


def connections_to(port: int) -> int:
    """How many connections to a port of 127.0.0.1 are established, seen from those who made them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == ESTABLISHED for row in rows)
