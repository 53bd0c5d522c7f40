"""Background work that must not die silently: restarted with growing pauses, its trouble remembered.

A task that raises inside a bare task group would end the server's lifespan while it goes on answering.
"""

from collections.abc import Awaitable, Callable, Mapping

import anyio

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class Supervisor:
    """Runs named jobs for ever and tells which of them are in trouble."""

    def __init__(self, report: Callable[[str, BaseException], None]) -> None:
        self._report = report
        self._troubled: dict[str, str] = {}

    @property
    def troubled(self) -> Mapping[str, str]:
        """The jobs whose last run failed, with the failure's type."""
        return dict(self._troubled)

    async def run(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run `job`; when it raises, say so and run it again. Returns when it returns."""
        pause_s = FIRST_PAUSE_S
        while True:
            began = anyio.current_time()
            try:
                await job()
            except Exception as error:
                self._troubled[name] = type(error).__name__
                self._report(name, error)
            else:
                self._troubled.pop(name, None)
                return
            if anyio.current_time() - began > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            await anyio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
