"""The line of a request, as a structured event."""

import asyncio
import io
import json

import pytest
import structlog
from structlog.testing import LogCapture

from relay.adapters.inbound.http.access import (
    FLUSH_S,
    MAX_PATH_CHARACTERS,
    AccessLine,
    AccessStream,
    to_logger,
)
from relay.adapters.outbound.system import SystemClock


def logged(line: AccessLine) -> dict[str, object]:
    capture = LogCapture()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[capture],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    to_logger(logger)(line)
    (event,) = capture.entries
    return dict(event)


def test_a_chat_call_is_told_with_its_attempt() -> None:
    line = AccessLine(
        request_id="r1",
        method="POST",
        path="/api/chat",
        began_s=5.0,
        status=200,
        provider="up",
        model="m",
        resolved_by="alias",
        attempts=2,
        key="web",
        duration_ms=12.345,
    )
    assert logged(line) == {
        "event": "request",
        "log_level": "info",
        "request_id": "r1",
        "method": "POST",
        "path": "/api/chat",
        "status": 200,
        "outcome": "ok",
        "duration_ms": 12.3,
        "provider": "up",
        "model": "m",
        "resolved_by": "alias",
        "attempts": 2,
        "key": "web",
    }


def test_what_is_not_known_is_left_out_and_a_path_is_bounded() -> None:
    event = logged(AccessLine(request_id="r1", method="GET", path="/" * 5000, began_s=0.0, status=404))
    assert set(event) == {
        "event",
        "log_level",
        "request_id",
        "method",
        "path",
        "status",
        "outcome",
        "duration_ms",
    }
    assert event["path"] == "/" * MAX_PATH_CHARACTERS


@pytest.mark.anyio
async def test_a_stream_of_lines_has_the_members_of_the_structured_event_one_line_each() -> None:
    out = io.StringIO()
    stream = AccessStream(out, SystemClock())
    line = AccessLine(request_id="r1", method="GET", path="/\n\u2028x", began_s=0.0, status=404, key="web")
    stream(line)
    stream(line)
    assert out.getvalue() == "", "they are written together"
    await asyncio.sleep(FLUSH_S * 2)
    first, second = out.getvalue().rstrip("\n").split("\n")
    assert json.loads(first).keys() == json.loads(second).keys()
    written = json.loads(first)
    assert written.pop("timestamp").endswith("Z")
    event = logged(line)
    assert written.pop("level") == event.pop("log_level")
    assert written == event


@pytest.mark.anyio
async def test_a_stream_that_is_closed_takes_no_request_down() -> None:
    out = io.StringIO()
    stream = AccessStream(out, SystemClock())
    stream(AccessLine(request_id="r1", method="GET", path="/", began_s=0.0, status=200))
    out.close()
    stream.flush()
