"""What one dialect alone has a word for, seen from another."""

import pytest

from relay.adapters.dialects.foreign import foreign_losses, kind_of, unmarked
from relay.domain.chat import (
    ChatRequest,
    DialectName,
    File,
    HostedTool,
    Image,
    Message,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

OWN: DialectName = "anthropic.messages"
REQUEST = ChatRequest(
    model="m",
    messages=(
        Message(
            role="assistant",
            parts=(
                Thinking(text="hm", signature="s", origin=OWN),
                Thinking(text="", sealed="s", origin="openai.responses"),
                Thinking(text="hm"),
                Text(text="a", signature="s"),
                ToolCall(id="c", name="f", arguments="{}", signature="s"),
                Opaque(origin=OWN, json='{"type":"server_tool_use"}'),
                Opaque(origin="gemini.generate", json='{"executableCode":{}}'),
            ),
        ),
    ),
    hosted_tools=(HostedTool(origin=OWN, json='{"type":"web_search_20250305"}'),),
)


def test_a_dialect_loses_what_is_another_dialects_and_keeps_its_own() -> None:
    assert list(foreign_losses(REQUEST, OWN)) == [
        "thinking.signature",
        "text.signature",
        "tool_call.signature",
        "messages.content.executableCode",
    ]
    assert list(foreign_losses(REQUEST, "gemini.generate")) == [
        "tools.web_search_20250305",
        "thinking.signature",
        "thinking.signature",
        "messages.content.server_tool_use",
    ]


@pytest.mark.parametrize(
    ("json", "kind"),
    [
        ('{"type":"a","b":1}', "a"),
        ('{"googleSearch":{}}', "googleSearch"),
        ('{"type":null,"b":1}', "type"),
        ('{"type":"no kind, and a header, too"}', "unknown"),
        ("{}", "unknown"),
        ("[1]", "unknown"),
        ("{", "unknown"),
        ('{"type":"\ud83d"}', "unknown"),
    ],
)
def test_a_kind_is_a_word_that_a_header_can_hold(json: str, kind: str) -> None:
    assert kind_of(json) == kind


def test_marks_come_off_and_nothing_else() -> None:
    assert unmarked(Text(text="a", cache="1h", signature="s")) == Text(text="a")
    assert unmarked(ToolCall(id="c", name="f", arguments="x", freeform=True, cache="5m")) == ToolCall(
        id="c", name="f", arguments="x", freeform=True
    )
    assert unmarked(Image(url="u", detail="low", cache="5m")) == Image(url="u", detail="low")
    assert unmarked(File(file_id="f", cache="5m")) == File(file_id="f")
    result = ToolResult(call_id="c", name="f", parts=(Text(text="a"),), is_error=True)
    assert unmarked(result) is result
