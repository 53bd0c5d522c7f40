"""Serves the scripted upstream from the command line until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
from pathlib import Path

from tests.support.upstream.scripts import DEFAULT_MODELS
from tests.support.upstream.server import ScriptedUpstream


async def _serve(upstream: ScriptedUpstream) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with upstream:
        print(f"scripted upstream at {upstream.base_url}", flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.upstream", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose; it is printed")
    parser.add_argument("--ledger", type=Path, help="append every call to this file as lines of JSON")
    parser.add_argument("--listing", choices=["ok", "hang", "fail"], default="ok")
    parser.add_argument("--model", action="append", help="list this model; may be repeated")
    given = parser.parse_args()
    upstream = ScriptedUpstream(
        host=given.host,
        port=given.port,
        models=given.model or DEFAULT_MODELS,
        listing=given.listing,
        ledger_file=given.ledger,
    )
    asyncio.run(_serve(upstream))


if __name__ == "__main__":
    main()
