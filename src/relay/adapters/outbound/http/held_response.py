"""A provider's response and the place that its call takes: let go of together, once."""

from collections.abc import Callable

from relay.adapters.outbound.http.interface import HttpResponse


class HeldResponse:
    """What is read from `response`, until `aclose`; `leave` gives the place back."""

    def __init__(self, response: HttpResponse, leave: Callable[[], None]) -> None:
        self._response = response
        self._leave = leave
        self._is_closed = False

    async def aclose(self) -> None:
        """Let go of the connection; again is nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._response.aclose()
        finally:
            self._leave()
