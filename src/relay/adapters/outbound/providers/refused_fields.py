"""Fields that a model turned out to refuse: left out when the call is made once more, and from then on for an hour.

What a model takes is a row's to say, but models come faster than rows. OpenAI, and servers that answer as it does,
name the field: `unsupported_parameter` and `unsupported_value`
(https://platform.openai.com/docs/guides/error-codes). Nothing is billed for such a refusal.
"""

import re
from collections.abc import Iterable
from dataclasses import fields, replace

from relay.application.ports import Clock
from relay.domain.chat import ChatRequest, Sampling
from relay.domain.errors import Rejected, UpstreamError

REMEMBERED_S = 3600.0
MAX_REMEMBERED = 1024

_CODES = ("unsupported_parameter", "unsupported_value")
_NAMED = re.compile(r"'([a-z_]{1,40})(?:\.effort)?'")
_KEPT = frozenset({"max_output_tokens"})
"""Whoever limits an answer is not given a longer one."""

_SAMPLING = frozenset(field.name for field in fields(Sampling)) - _KEPT
_REASONING = ("reasoning", "reasoning_effort")


class RefusedFields:
    """What is remembered of one provider's models."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s: dict[tuple[str, str], float] = {}

    def of(self, model: str) -> tuple[str, ...]:
        """The fields that the model refused lately."""
        if not self._until_s:
            return ()
        now_s = self._clock.monotonic()
        return tuple(
            name for (known, name), until_s in self._until_s.items() if known == model and until_s > now_s
        )

    def remember(self, model: str, name: str) -> None:
        """From now on the model is not sent the field."""
        if len(self._until_s) >= MAX_REMEMBERED:
            self._until_s.clear()
        self._until_s[model, name] = self._clock.monotonic() + REMEMBERED_S


def refused_field(error: UpstreamError) -> str | None:
    """The field that a refusal is for, if it may be left out: it must not change what the answer is about."""
    if not isinstance(error, Rejected) or error.code not in _CODES:
        return None
    named = _NAMED.search(error.message)
    name = named[1] if named else ""
    return name if name in _SAMPLING or name in _REASONING else None


def without(request: ChatRequest, names: Iterable[str]) -> tuple[ChatRequest, tuple[str, ...]]:
    """The request without these fields, and those of them that it had."""
    lost: list[str] = []
    for name in names:
        if name in _REASONING:
            less = replace(request, reasoning=None)
        else:
            unset: dict[str, object] = {name: getattr(Sampling(), name)}
            less = replace(request, sampling=replace(request.sampling, **unset))  # type: ignore[arg-type]
        if less != request:
            request, lost = less, [*lost, name]
    return request, tuple(lost)
