"""Messages with content in Mistral's own parts."""

import json

import msgspec
import pytest

from relay.adapters.outbound.providers.mistral_parts import rewritten


def of(messages: object) -> object:
    return json.loads(bytes(rewritten(msgspec.Raw(json.dumps(messages).encode()))))


def test_messages_without_files_and_thoughts_are_the_very_same() -> None:
    raw = msgspec.Raw(b'[{"role":"user","content":[ {"type":"text","text":"hi"} ]}]')
    assert rewritten(raw) is raw


def test_a_thought_goes_before_the_text_and_alone_before_calls() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    said = {"role": "assistant", "reasoning_content": "hm", "content": "ok"}
    calling = {"role": "assistant", "reasoning_content": "hm", "content": None, "tool_calls": [1]}
    assert of([said, calling]) == [
        {"role": "assistant", "content": [thought, {"type": "text", "text": "ok"}]},
        {"role": "assistant", "content": [thought], "tool_calls": [1]},
    ]


def test_a_file_that_the_provider_keeps_stays_as_it_is() -> None:
    kept = [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f-1"}}]}]
    assert of(kept) == kept


@pytest.mark.parametrize(
    "odd",
    [
        {"file": 1},
        ["file"],
        [{"content": {"file": 1}, "reasoning_content": "x"}],
        [{"content": [1], "a": "file"}],
        [{"content": "file", "reasoning_content": 7}],
        [{"content": [{"type": "file", "file": "x"}]}],
    ],
)
def test_odd_messages_are_the_providers_to_refuse(odd: object) -> None:
    assert of(odd) == odd
