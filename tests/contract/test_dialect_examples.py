"""The examples the laws are tried on are rich enough to mean something: counted, not claimed."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.adapters.dialects.lenient import clean_text
from relay.domain.chat import (
    ChatRequest,
    Completion,
    DialectName,
    Image,
    JsonSchema,
    Refusal,
    Thinking,
    ToolCall,
    ToolResult,
)
from relay.domain.events import ChatResponse
from tests.support.laws.language import Language
from tests.support.laws.languages import LANGUAGES
from tests.support.laws.requests import encodable
from tests.support.laws.streams import Answer, answers
from tests.support.strategies.requests import requests
from tests.support.strategies.texts import texts


def request_marks(request: ChatRequest) -> set[str]:
    """What makes a request more than plain talk."""
    parts = [part for message in request.messages for part in message.parts]
    kinds = {type(part) for part in parts}
    inner = {type(part) for result in parts if isinstance(result, ToolResult) for part in result.parts}
    marks = {
        "tools": bool(request.tools) or ToolCall in kinds,
        "images": Image in kinds | inner,
        "thinking": Thinking in kinds,
        "instructions": sum(message.role in ("system", "developer") for message in request.messages) > 1,
        "parallel calls": any(
            sum(isinstance(part, ToolCall) for part in message.parts) > 1 for message in request.messages
        ),
        "schema": isinstance(request.output, JsonSchema),
        "logprobs": request.sampling.logprobs is True,
        "extras": any(request.extras.values()),
        "completion": request.completion not in (None, Completion()),
    }
    return {name for name, present in marks.items() if present}


def response_marks(response: ChatResponse) -> set[str]:
    """What makes an answer more than plain text."""
    parts = [part for choice in response.choices for part in choice.parts]
    marks = {
        "tools": any(isinstance(part, ToolCall) for part in parts),
        "thinking": any(isinstance(part, Thinking) for part in parts),
        "refusal": any(isinstance(part, Refusal) for part in parts),
        "logprobs": any(choice.logprobs for choice in response.choices),
        "usage": response.usage is not None,
        "choices": len(response.choices) > 1,
    }
    return {name for name, present in marks.items() if present}


ENOUGH = settings(max_examples=150)
"""Shares of fewer examples are a matter of luck, whatever the profile."""


class Tally:
    """Counts marks over generated examples."""

    def __init__(self) -> None:
        self.total = 0
        self.rich = 0
        self.marks: Counter[str] = Counter()

    def add(self, marks: set[str]) -> None:
        self.total += 1
        self.rich += bool(marks & {"tools", "images", "thinking"})
        self.marks.update(marks)

    def check(self, *expected: str) -> None:
        assert self.total >= 20
        assert self.rich >= self.total / 5, f"{self.rich} of {self.total} carry tools, images or thinking"
        assert set(expected) <= set(self.marks), f"never seen: {set(expected) - set(self.marks)}"


def tally_requests(strategy: st.SearchStrategy[ChatRequest]) -> Tally:
    tally = Tally()

    @ENOUGH
    @given(strategy)
    def count(request: ChatRequest) -> None:
        tally.add(request_marks(request))

    count()
    return tally


@pytest.mark.slow
def test_a_fifth_of_the_requests_carry_tools_images_or_thinking() -> None:
    tally = tally_requests(requests)
    tally.check("tools", "images", "thinking", "instructions", "parallel calls", "schema", "extras")


TALK = ("tools", "images", "thinking", "instructions", "parallel calls")
MARKS: dict[DialectName, tuple[str, ...]] = {"ollama.generate": ("images", "instructions", "completion")}
"""What a dialect's examples shall show where they are no conversations."""


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_what_a_dialect_cannot_carry_does_not_make_its_examples_poor(language: Language) -> None:
    tally_requests(encodable(language)).check(*MARKS.get(language.dialect.name, TALK))


@pytest.mark.slow
@pytest.mark.law
def test_a_fifth_of_the_answers_carry_tools_or_thinking() -> None:
    tally = Tally()

    @ENOUGH
    @given(answers())
    def count(answer: Answer) -> None:
        tally.add(response_marks(answer.response))

    count()
    tally.check("tools", "thinking", "refusal", "logprobs", "usage", "choices")


@pytest.mark.law
def test_the_texts_hold_every_awkward_character_and_no_lone_surrogate() -> None:
    seen: set[str] = set()

    @given(st.lists(texts(), min_size=8, max_size=8))
    def collect(some: list[str]) -> None:
        for text in some:
            assert clean_text(text) == text
            seen.update(text)

    collect()
    assert seen >= set('\u2028\u2029\x85\r\n"\\😀\u202e{}')
