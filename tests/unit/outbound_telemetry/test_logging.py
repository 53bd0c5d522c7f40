"""Log lines: JSON, and never the text of an exception."""

import io
import json

import pytest
import structlog

from relay.adapters.outbound.telemetry.logging import configure_logging


@pytest.fixture(autouse=True)
def _restore_structlog() -> object:
    yield
    structlog.reset_defaults()


def test_an_event_is_one_json_line_with_level_and_time() -> None:
    out = io.StringIO()
    configure_logging(out).info("request", status=200)
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["status"]) == ("request", "info", 200)
    assert line["timestamp"].endswith("Z")


def test_an_exception_is_named_and_never_quoted() -> None:
    out = io.StringIO()
    logger = configure_logging(out)
    try:
        raise ValueError("the prompt was canary-1234")
    except ValueError:
        logger.exception("failed")
    assert json.loads(out.getvalue())["exception"] == "ValueError"
    assert "canary" not in out.getvalue()
