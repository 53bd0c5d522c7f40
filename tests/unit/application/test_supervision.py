"""Background jobs that fail, and go on."""

import anyio
import pytest

from relay.application import supervision
from relay.application.supervision import Supervisor

pytestmark = pytest.mark.anyio


async def test_a_job_that_raises_is_reported_and_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE_S", 0.001)
    reported: list[tuple[str, str]] = []
    supervisor = Supervisor(lambda name, error: reported.append((name, type(error).__name__)))
    runs = 0

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise OSError("no")
        assert supervisor.troubled == {"ledger": "OSError"}

    with anyio.fail_after(2):
        await supervisor.run("ledger", job)
    assert reported == [("ledger", "OSError")] * 2
    assert supervisor.troubled == {}


async def test_a_supervised_job_ends_by_cancellation() -> None:
    supervisor = Supervisor(lambda name, error: None)
    with anyio.move_on_after(0.02) as scope:
        await supervisor.run("sleep", anyio.sleep_forever)
    assert scope.cancelled_caught
