"""Answers to clients, in the words and the order of Ollama's own server: the pieces every line is made of."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from time import gmtime, strftime

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Scene
from relay.adapters.dialects.ollama_chat import wire
from relay.adapters.dialects.ollama_chat.calls import made_id, object_text
from relay.domain.chat import ToolCall
from relay.domain.events import FinishReason, TokenLogprob
from relay.domain.usage import Usage

ROLE = "assistant"
SMALLEST_LOGPROB = -9999.0
"""Stands for a probability of zero, as at OpenAI: JSON has no infinity, and null ends clients."""

_LOAD_NS = 1  # nothing is loaded, but clients expect a duration, and zero is left out on this wire

_encoder = msgspec.json.Encoder()


def encoded(value: object) -> bytes:
    """JSON as Go writes it: no line separators, and no characters that mean something in HTML."""
    return _escaped(_encoder.encode(value))


def created_at(unix_ns: int) -> Raw:
    """A time as Ollama writes it: RFC 3339 in UTC, up to nine digits of fraction without trailing zeros."""
    second, fraction = divmod(unix_ns, 1_000_000_000)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return Raw(f'"{_utc(second)}{digits}Z"'.encode())


def wire_call(index: int, call: ToolCall) -> wire.AnsweredCall:
    """A call of the answer; `index` counts from 0 in one answer."""
    function = wire.AnsweredFunction(
        index=index, name=call.name, arguments=Raw(object_text(call.arguments).encode())
    )
    return wire.AnsweredCall(id=call.id or made_id(index), function=function)


def read_back(index: int, call: ToolCall) -> ToolCall:
    """The call as it is read from the wire again."""
    arguments = _escaped(object_text(call.arguments).encode()).decode()
    return ToolCall(id=call.id or made_id(index), name=call.name, arguments=arguments)


def wire_logprobs(tokens: Iterable[TokenLogprob]) -> list[wire.TokenLogprob]:
    """Log probabilities, each finite."""
    return [
        wire.TokenLogprob(
            token=token.token,
            logprob=finite(token.logprob),
            bytes=list(token.bytes) or None,
            top_logprobs=[
                wire.TokenAlternative(
                    token=other.token, logprob=finite(other.logprob), bytes=list(other.bytes) or None
                )
                for other in token.top
            ]
            or None,
        )
        for token in tokens
    ]


def finite(logprob: float) -> float:
    """A log probability that JSON can hold."""
    return logprob if math.isfinite(logprob) else SMALLEST_LOGPROB


def last_line(
    scene: Scene,
    message: wire.AnswerMessage,
    *,
    finish: FinishReason | None,
    usage: Usage | None,
    first_ns: int | None = None,
    logprobs: Sequence[TokenLogprob] = (),
) -> wire.WrittenLine:
    """The line that ends an answer: it alone has a reason, the counts that were reported, and durations.

    `first_ns` is when the first content left; a whole answer does not tell, so its time is halved. Every
    duration is at least 1 ns, as clients divide by them, and none exceeds the total.
    """
    now_ns = scene.clock_ns()
    total = max(now_ns - scene.started_ns, 3)
    waited = total // 2 if first_ns is None else first_ns - scene.started_ns
    prompt = min(max(waited, 1), total - _LOAD_NS - 1)
    usage = usage or Usage()
    return wire.WrittenLine(
        model=scene.model,
        created_at=created_at(now_ns),
        message=message,
        done=True,
        done_reason="length" if finish == "length" else "stop",
        logprobs=wire_logprobs(logprobs) or None,
        total_duration=total,
        load_duration=_LOAD_NS,
        prompt_eval_count=shown_count(usage.input_tokens),
        prompt_eval_duration=prompt,
        eval_count=shown_count(usage.output_tokens),
        eval_duration=total - _LOAD_NS - prompt,
    )


def shown_count(count: int | None) -> int | None:
    """A count that is written; Ollama leaves zero out."""
    return count if count is not None and count > 0 else None


def _escaped(payload: bytes) -> bytes:
    payload = lenient.escape_separators(payload)
    return payload.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


@lru_cache(maxsize=4)
def _utc(second: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
