"""The laws are not idle: each of these faults, planted into a copy of a codec, breaks one that held before."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.domain.errors import RelayError
from tests.support.laws import clients, pairs, requests, streams, styles, totality
from tests.support.laws.language import Language
from tests.support.laws.law import Law
from tests.support.laws.planting import Fault, planted

OPENAI, OLLAMA, GENERATE = "openai_chat", "ollama_chat", "ollama_generate"
ANTHROPIC = "anthropic_messages"
RESPONSES = "openai_responses"
GEMINI, COHERE = "gemini_generate", "cohere_v2"

BROKEN = (AssertionError, LookupError, RecursionError, RelayError, ValueError)
"""What a broken law raises; an error of Hypothesis is none of these."""

FAULTS: dict[str, tuple[Fault, Law[Language, Any]]] = {
    "the finish says stop though tools were called": (
        Fault(OPENAI, "writing", "has_calls=choice.call_count > 0", "has_calls=False"),
        clients.CLIENT_STREAM,
    ),
    "usage is dropped": (
        Fault(OPENAI, "writing", "if not self._scene.include_usage or self._usage is None:", "if True:"),
        streams.ROUND_TRIP,
    ),
    "usage is sent unasked": (
        Fault(OPENAI, "tap", "if not self._scene.include_usage:", "if False:"),
        streams.TAP_AGREES,
    ),
    "calls are numbered from one": (
        Fault(OPENAI, "writing", "event.kind, choice.call_count,", "event.kind, choice.call_count + 1,"),
        clients.CLIENT_STREAM,
    ),
    "thinking is lost": (
        Fault(OPENAI, "writing", "reasoning_content=event.text, reasoning=event.text", ""),
        streams.ROUND_TRIP,
    ),
    "the role chunk is missing": (
        Fault(
            OPENAI,
            "writing",
            'wire.WrittenDelta(role="assistant", content=content)',
            "wire.WrittenDelta(content=content)",
        ),
        clients.CLIENT_STREAM,
    ),
    "line separators are not escaped": (
        Fault(OLLAMA, "writing", "payload = lenient.escape_separators(payload)\n    return", "return"),
        clients.SEPARATORS_WRITTEN,
    ),
    "the last line of every read is dropped": (
        Fault(OLLAMA, "lines", "for raw in lines:", "for raw in lines[:-1] or lines:"),
        streams.CUT,
    ),
    "the model is not replaced": (
        Fault(OLLAMA, "provider_request", "members[key] = wanted", "members.setdefault(key, wanted)"),
        requests.RETARGET,
    ),
    "arguments are written anew": (
        Fault(
            OLLAMA,
            "calls",
            "msgspec.json.format(arguments, indent=-1)",
            "msgspec.json.encode(msgspec.json.decode(arguments)).decode()",
        ),
        streams.ROUND_TRIP,
    ),
    "a tap keeps content back": (
        Fault(OLLAMA, "tap", "passed.append(renamed)", "pass"),
        streams.TAP_AGREES,
    ),
    "thinking in the history is left out": (
        Fault(OLLAMA, "provider_request", "thinking=thinking,", "thinking=None,"),
        requests.SETTLES,
    ),
    "a chat takes the place of a completion": (
        Fault(OLLAMA, "provider_request", "    refuse_completion(request)\n", ""),
        requests.COMPLETION_KEPT,
    ),
    "a suffix is left out": (
        Fault(GENERATE, "provider_request", 'body["suffix"] = completion.suffix', "pass"),
        requests.COMPLETION_KEPT,
    ),
    "a line of generate has no thinking": (
        Fault(GENERATE, "shape", "thinking=message.thinking,", ""),
        streams.ROUND_TRIP,
    ),
    "a block is not ended before the next begins": (
        Fault(
            ANTHROPIC,
            "writing",
            "            yield self._stop_block()\n        if part.sealed",
            "        if part.sealed",
        ),
        clients.CLIENT_STREAM,
    ),
    "cached tokens are left out of the input": (
        Fault(ANTHROPIC, "usage", " + (written or 0) + (read or 0)", ""),
        streams.ROUND_TRIP,
    ),
    "the seal of thinking is lost": (
        Fault(ANTHROPIC, "reading", 'self._seal(block, text(delta.get("signature")), events)', "pass"),
        streams.ROUND_TRIP,
    ),
    "thoughts of others go to Anthropic": (
        Fault(ANTHROPIC, "arranging", "case Thinking(origin=origin) if origin == NAME:", "case Thinking():"),
        requests.SETTLES,
    ),
    "a call's input is written anew": (
        Fault(ANTHROPIC, "messages", "json_text(block.input)", "str(msgspec.json.decode(block.input))"),
        requests.SETTLES,
    ),
    "bytes that are no JSON escape as another error": (
        Fault(
            OPENAI, "envelope", "(lenient.Undecodable, msgspec.MsgspecError) as", "msgspec.MsgspecError as"
        ),
        totality.REQUESTS_TOTAL,
    ),
    "a failed decoder goes on": (
        Fault(
            OPENAI,
            "sse_answers",
            "self._is_over = True\n        events.append(Failed",
            "events.append(Failed",
        ),
        totality.SILENT,
    ),
    "the ends of items are not told": (
        Fault(
            RESPONSES, "writing", 'self._emit("response.output_item.done"', 'self._emit("response.item.done"'
        ),
        clients.CLIENT_STREAM,
    ),
    "numbers of events do not rise": (
        Fault(RESPONSES, "writing", "self._sequence += 1", "pass"),
        clients.CLIENT_STREAM,
    ),
    "what an end says beyond its pieces is lost": (
        Fault(RESPONSES, "parts", "self.say(text[self.length :], events)", "pass"),
        styles.READ_THE_SAME,
    ),
    "an end without its items passes": (
        Fault(
            RESPONSES,
            "answers",
            "splice.raw([ended[index] for index in sorted(ended)]) if ended else _EMPTY",
            "_EMPTY",
        ),
        styles.CLIENT_UNAWARE,
    ),
    "a foreign seal is taken for its own": (
        Fault(
            RESPONSES,
            "arranging",
            "thinking.origin == NAME and bool(thinking.sealed)",
            "bool(thinking.sealed)",
        ),
        requests.SETTLES,
    ),
    "a client may let the provider keep its answer": (
        Fault(RESPONSES, "request", "        store=False,\n", "        store=None,\n"),
        requests.RETARGET,
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where copies are imported from; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("planted_")]:
        del sys.modules[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_law_notices(name: str, folder: Path) -> None:
    fault, law = FAULTS[name]
    law.verify(planted(None, fault.package, folder))
    language = planted(fault, fault.package, folder)
    with pytest.raises(BROKEN):
        law.verify(language, shrink=False)


@pytest.mark.slow
def test_a_fault_between_two_dialects_is_noticed(folder: Path) -> None:
    fault = Fault(OLLAMA, "lines", '"length" if raw == "length" else ', "")
    faithful = planted(None, OLLAMA, folder)
    faulty = planted(fault, OLLAMA, folder)
    openai = planted(None, OPENAI, folder)
    pairs.STREAMED.verify(pairs.Pair(faithful, openai))
    with pytest.raises(AssertionError):
        pairs.STREAMED.verify(pairs.Pair(faulty, openai), shrink=False)


def test_a_fault_that_does_not_fit_the_source_is_an_error(folder: Path) -> None:
    with pytest.raises(AssertionError, match=r"does not fit openai_chat/tap\.py"):
        planted(Fault(OPENAI, "tap", "no such line", ""), OPENAI, folder)
