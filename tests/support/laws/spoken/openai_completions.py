"""OpenAI's legacy completions in the laws."""

import json

from openai.types import Completion

from relay.domain.events import ChatResponse
from tests.support.laws.spoken.particulars import Read, Spoken, check_openai_error, read_of


def read_stream(data: bytes) -> Read:
    """As openai-python hands chunks to whoever reads a text completion; it takes their null finish unchecked."""
    *frames, done, rest = data.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(len(frame.splitlines()) == 1 for frame in frames)
    chunks = [Completion.construct(**json.loads(frame.removeprefix("data: "))) for frame in frames]
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    first = [choice for chunk in chunks for choice in chunk.choices if choice.index == 0]
    finishes = [choice.finish_reason for choice in first]
    assert finishes[:-1] == [None] * (len(finishes) - 1), "nothing of a choice follows its finish"
    usage = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert usage in ([], [chunks[-1].usage])
    return _read(chunks[-1], "".join(choice.text for choice in first), finishes[-1])


def read_whole(data: bytes) -> Read:
    """As openai-python parses a body."""
    completion = Completion.model_validate_json(data)
    return _read(completion, completion.choices[0].text, completion.choices[0].finish_reason)


def _read(last: Completion, text: str, finish: str | None) -> Read:
    assert (last.model, last.object) == ("asked-for", "text_completion")
    assert last.id.startswith("cmpl-")
    usage = last.usage
    return {
        "thinking": "",
        "text": text,
        "refusal": "",
        "calls": [],
        "cites": [],
        "finish": finish,
        "counts": (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0),
    }


def should_read(response: ChatResponse) -> Read:
    """There are no calls here."""
    return read_of(response, calls=[], finish=response.choices[0].finish)


POVERTY: dict[str, set[str]] = {
    "The id begins with": {"id"},
    "Each choice is one text": {"parts joined", "empty part left out", "order"},
    "A refusal becomes text": {"refusal as text"},
    "What a text cites": {"citations lost", "nothing cited"},
    "Thinking and all seals": {"thinking lost", "signature left out", "opaque left out"},
    "Tool calls are left out": {"call lost"},
    "The finish is stop, length or content_filter": {"finish derived"},
    "The provider's own finish word": {"finish word"},
    "Log probabilities have no bytes": {"logprobs lost", "logprob clipped"},
    "Usage keeps input, output": {"usage class left out", "usage filled with 0", "usage clamped"},
}

SPOKEN = Spoken(
    read_stream=read_stream,
    read_whole=read_whole,
    should_read=should_read,
    poverty=POVERTY,
    check_error=check_openai_error,
)
