"""What a provider's row comes to: how it is called, and whether bytes pass."""

import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.adapters.outbound.providers.build import build_listers
from relay.adapters.outbound.providers.spec import configured
from relay.adapters.outbound.system import SystemClock
from tests.support.fakes_http import RecordingHttp, ScriptedResponse

ADDRESS = {"base_url": "http://up.example/v1"}


@pytest.mark.parametrize(
    ("kind", "section", "wire"),
    [
        ("openai", {}, "openai.chat, bytes of its clients pass"),
        (
            "openai-compatible",
            ADDRESS,
            "openai.chat, bytes of its clients pass, and answers that need nothing set right",
        ),
        (
            "openai-compatible",
            {**ADDRESS, "quirks": {"system_prompt": "Be brief."}},
            "openai.chat, translated for every client",
        ),
        ("ollama", {}, "ollama.chat, bytes of its clients pass"),
        ("gemini", {}, "gemini.generate, translated for every client"),
    ],
)
def test_it_is_told_whether_bytes_pass(kind: str, section: dict[str, object], wire: str) -> None:
    spec = configured(kind, {"api_key": "k", **section}, {})
    [listed] = build_listers(
        [spec],
        http=RecordingHttp(lambda _: ScriptedResponse()),
        dialects=DIALECTS,
        clock=SystemClock(),
        environ={},
    )
    assert listed.wire == wire
