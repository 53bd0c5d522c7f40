"""Answers in the shapes that providers really send, read as a person reviewed them.

A case is a folder: `stream.bin` or `response.json` as received, `expected.json` what it means, `meta.toml` where
it comes from. An id of `null` is one that the codec makes. A failure's `null` is anything.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from relay.adapters.dialects.registry import DIALECTS
from relay.domain.chat import DialectName, Opaque, Text, Thinking, ToolCall
from relay.domain.errors import RelayError
from relay.domain.events import (
    AnswerPart,
    ChatResponse,
    Choice,
    PartDelta,
    StreamEvent,
    TokenLogprob,
)
from relay.domain.folding import fold, unfold
from tests.support.laws.language import Language, a_scene, comparable, failure_of
from tests.support.laws.languages import LANGUAGES
from tests.support.laws.streams import usage_of
from tests.support.strategies.cuts import chunked

ROOT = Path(__file__).parent / "fixtures" / "dialects"
CASES = sorted(path.parent for path in ROOT.glob("*/*/meta.toml"))
BY_NAME: dict[str, Language] = {str(language): language for language in LANGUAGES}
STREAMS = [case for case in CASES if (case / "stream.bin").exists()]

KINDS = {"Text": "text", "Thinking": "thinking", "Refusal": "refusal"}
MADE_ID = re.compile(r"call_\w{8,}")


def label(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


def expected_of(case: Path) -> dict[str, Any]:  # a reviewed file's own shape
    loaded: dict[str, Any] = json.loads((case / "expected.json").read_text())
    return loaded


def read(case: Path, lengths: list[int] | None = None) -> list[StreamEvent]:
    """The case's events; a whole answer's are those it unfolds to."""
    language = BY_NAME[case.parent.name]
    if case in STREAMS:
        data = (case / "stream.bin").read_bytes()
        return language.read(chunked(data, lengths or [len(data)]))
    return list(unfold(language.dialect.decode_response((case / "response.json").read_bytes())))


def spelled(response: ChatResponse) -> dict[str, object]:
    """A response in the form of `expected.json`."""
    return {
        "id": response.id,
        "model": response.model,
        "created": response.created,
        "choices": [_spelled_choice(choice) for choice in response.choices],
        "usage": response.usage.counts() if response.usage else None,
    }


def _spelled_choice(choice: Choice) -> dict[str, object]:
    written: dict[str, object] = {
        "finish": choice.finish,
        "raw_finish": choice.raw_finish,
        "parts": [_spelled_part(part) for part in choice.parts],
    }
    if choice.logprobs:
        written["logprobs"] = [
            {
                "token": token.token,
                "logprob": token.logprob,
                "bytes": list(token.bytes),
                "top": [
                    {"token": rival.token, "logprob": rival.logprob, "bytes": list(rival.bytes)}
                    for rival in token.top
                ],
            }
            for token in choice.logprobs
        ]
    return written


def _spelled_part(part: AnswerPart) -> dict[str, object]:
    """Seals, and who knows them, only where there are some."""
    match part:
        case Opaque():
            return {"kind": "opaque", "origin": part.origin, "json": part.json}
        case ToolCall():
            written = {"kind": "tool_call", "id": part.id, "name": part.name, "arguments": part.arguments}
        case _:
            written = {"kind": KINDS[type(part).__name__], "text": part.text}
    names = ("signature", "sealed", "freeform") + (("id", "origin") if isinstance(part, Thinking) else ())
    return written | {name: value for name in names if (value := getattr(part, name, None))}


def accept_made_ids(expected: dict[str, Any], written: dict[str, Any]) -> None:
    """Take over the ids that the codec made, where the reviewed file says that it makes them."""
    made = []
    for wanted, got in zip(expected["choices"], written["choices"], strict=True):
        for part, read_part in zip(wanted["parts"], got["parts"], strict=True):
            if part.get("id", "") is None:
                assert MADE_ID.fullmatch(read_part["id"])
                part["id"] = read_part["id"]
                made.append(part["id"])
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("case", CASES, ids=label)
def test_an_answer_means_what_was_reviewed(case: Path) -> None:
    expected = expected_of(case)
    if "failure" in expected:
        check_failure(case, expected)
        return
    written = spelled(fold(read(case)))
    accept_made_ids(expected, written)
    assert written == expected


def check_failure(case: Path, expected: dict[str, Any]) -> None:
    events: list[StreamEvent] = []
    failure: RelayError | None
    try:
        events = read(case)
        failure = failure_of(events)
    except RelayError as error:
        failure = error
    wanted = expected["failure"]
    assert type(failure).__name__ == wanted["type"]
    assert failure is not None
    assert wanted["code"] in (None, failure.code)
    assert wanted["message"] in (None, failure.message)
    assert "".join(event.text for event in events if isinstance(event, PartDelta)) == expected["before"]
    usage = usage_of(events)
    assert (usage.counts() if usage else None) == expected["usage"]


@pytest.mark.parametrize("case", STREAMS, ids=label)
@pytest.mark.parametrize("lengths", [[1], [7], [64, 1, 3], [1000]], ids=str)
def test_the_cut_of_a_stream_changes_nothing(case: Path, lengths: list[int]) -> None:
    assert comparable(read(case, lengths)) == comparable(read(case))


@pytest.mark.parametrize("case", STREAMS, ids=label)
@pytest.mark.parametrize("client", LANGUAGES, ids=str)
def test_every_client_gets_what_was_reviewed(case: Path, client: Language) -> None:
    events = read(case)
    received = client.read([client.written(events, a_scene())])
    if failure_of(events) is not None:
        assert failure_of(received) is not None
    else:
        assert fold(received) == client.expected(fold(events), a_scene())


@pytest.mark.parametrize("case", STREAMS, ids=label)
def test_a_tap_passes_on_what_was_reviewed(case: Path) -> None:
    language = BY_NAME[case.parent.name]
    events = read(case)
    seen, raw = language.tapped(chunked((case / "stream.bin").read_bytes(), [5]), a_scene(include_usage=True))
    assert usage_of(seen) == usage_of(events)
    passed = language.read([raw])
    if failure_of(events) is not None:
        assert comparable(seen[-1:]) == comparable(events[-1:])
        assert failure_of(passed) is not None
        return
    expected, got = spelled(fold(events)), spelled(fold(passed))
    assert got == expected | ({"model": "asked-for"} if language.names_model else {})


def test_every_case_says_where_it_comes_from() -> None:
    assert {case.parent.name for case in CASES} == set(DIALECTS)
    for case in CASES:
        meta = tomllib.loads((case / "meta.toml").read_text())
        assert set(meta) == {"origin", "provider", "shows"}
        assert meta["origin"] == "synthetic"
        assert sorted(path.name for path in case.iterdir()) in (
            ["expected.json", "meta.toml", "stream.bin"],
            ["expected.json", "meta.toml", "response.json"],
        )


NAMES: tuple[DialectName, ...] = tuple(DIALECTS)


@pytest.mark.parametrize("name", NAMES)
def test_every_dialect_has_cases_of_each_kind(name: DialectName) -> None:
    kinds: set[str] = set()
    for case in CASES:
        if case.parent.name == name:
            expected = expected_of(case)
            kinds.add("failure" if "failure" in expected else "answer")
            for choice in expected.get("choices", ()):
                kinds.update(part["kind"] for part in choice["parts"])
                kinds.update({"logprobs"} & set(choice))
            kinds.update({"usage"} if expected["usage"] else {"no usage"})
    probable = Choice(
        parts=(Text(text="a"),), finish="stop", logprobs=(TokenLogprob(token="a", logprob=-1.0),)
    )
    kept = BY_NAME[name].norm(ChatResponse(choices=(probable,))).choices[0].logprobs
    assert kinds >= {"failure", "answer", "text", "thinking", "tool_call", "usage"}
    assert ("logprobs" in kinds) == bool(kept)
