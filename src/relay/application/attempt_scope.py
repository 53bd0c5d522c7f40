"""Cuts attempts short: at a deadline, or at once, by cancelling the task that makes them.

Theory of operation. Nearly every attempt ends before its deadline, so none has a timer of its own: one timer
looks at all of them when the nearest deadline has passed. A scope that was cut swallows the cancellation it caused
and no other, as `asyncio.timeout` does (https://docs.python.org/3/library/asyncio-task.html#task-cancellation).
"""

import asyncio
from types import TracebackType
from typing import Self


class AttemptScope:
    """A stretch of the current task, up to a deadline of the loop's clock; `was_cut_short` when it ended early."""

    __slots__ = ("_cancelling", "_deadlines", "_is_cut", "_task", "deadline", "was_cut_short")

    def __init__(self, deadlines: "Deadlines", deadline: float) -> None:
        self.deadline = deadline
        self.was_cut_short = False
        self._is_cut = False
        self._deadlines = deadlines
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is not None:
            self._task, self._cancelling = task, task.cancelling()
        self._deadlines.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        self._deadlines.discard(self)
        if not self._is_cut or task is None:
            return False
        is_others = task.uncancel() > self._cancelling
        self.was_cut_short = not is_others and kind is not None and issubclass(kind, asyncio.CancelledError)
        return self.was_cut_short

    def cut(self) -> None:
        """End it now. May be called from anywhere in the loop's thread; does nothing outside of the stretch."""
        if self._task is not None and not self._is_cut:
            self._is_cut = True
            self._task.cancel()

    def cut_within(self, seconds: float) -> None:
        """Have it end by then, if it does not end earlier."""
        by = asyncio.get_running_loop().time() + seconds
        if self._task is not None and by < self.deadline:
            self.deadline = by
            self._deadlines.add(self)


class Deadlines:
    """The scopes that are open, and the one timer that watches over them."""

    def __init__(self) -> None:
        self._open: set[AttemptScope] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, scope: AttemptScope) -> None:
        """Watch over this one, too."""
        self._open.add(scope)
        timer = self._timer
        if timer is None or scope.deadline < timer.when() or self._loop is not asyncio.get_running_loop():
            self._set_timer(scope.deadline)

    def discard(self, scope: AttemptScope) -> None:
        """It is over."""
        self._open.discard(scope)

    def _set_timer(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._loop is loop:
            self._timer.cancel()
        self._loop, self._timer = loop, loop.call_at(at, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for scope in tuple(self._open):
            if scope.deadline <= now:
                scope.cut()
        later = [scope.deadline for scope in self._open if scope.deadline > now]
        if later:
            self._set_timer(min(later))
