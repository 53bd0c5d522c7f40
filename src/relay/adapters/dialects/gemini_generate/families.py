"""What families of models take, as data: names age within weeks, so what is unknown is taken for the newest.

Sources: https://ai.google.dev/gemini-api/docs/thinking, …/structured-output and …/function-calling.
"""

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from relay.domain.chat import Effort

type ThinkingWord = Literal["level", "budget", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How models of a family are asked.

    `thinking` is the word for how much to think: one of `levels`, or tokens between `min_budget` and `max_budget`,
    or none where it `can_rest`. With `json_schema` schemas are JSON Schema, else OpenAPI's. `signed_calls` must
    have a signature; `result_media` may stand in a tool's result; `instructions` are taken apart from the talk.
    """

    thinking: ThinkingWord = "level"
    levels: tuple[Effort, ...] = ("minimal", "low", "medium", "high")
    min_budget: int = 1
    max_budget: int = 0
    can_rest: bool = False
    json_schema: bool = True
    signed_calls: bool = True
    result_media: bool = True
    instructions: bool = True


_NEWEST = Family()
_FLASH_2_5 = Family(
    thinking="budget", max_budget=24_576, can_rest=True, signed_calls=False, result_media=False
)
_FLASH_LITE_2_5 = replace(_FLASH_2_5, min_budget=512)
_PRO_2_5 = Family(
    thinking="budget", min_budget=128, max_budget=32_768, signed_calls=False, result_media=False
)
_OLD = Family(thinking="none", json_schema=False, signed_calls=False, result_media=False)
_OPEN = Family(thinking="none", json_schema=False, signed_calls=False, result_media=False, instructions=False)
_WITHOUT_MINIMAL = Family(levels=("low", "medium", "high"))

FAMILIES: tuple[tuple[str, Family], ...] = (
    ("gemma-*", _OPEN),
    ("gemini-1.*", _OLD),
    ("gemini-2.0-*", _OLD),
    ("gemini-2.5-pro*", _PRO_2_5),
    ("gemini-2.5-flash-lite*", _FLASH_LITE_2_5),
    ("gemini-2.5-*", _FLASH_2_5),
    ("gemini-3*-pro*", _WITHOUT_MINIMAL),
    ("gemini-3.7-flash*", _WITHOUT_MINIMAL),
)
"""The first glob that fits counts."""

BUDGETS: dict[Effort, int] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
"""The tokens of thinking that an effort stands for, before the family's bounds."""


def family_of(model: str) -> Family:
    """The family of a model's id."""
    name = model.lower().removeprefix("models/")
    return next((family for glob, family in FAMILIES if fnmatchcase(name, glob)), _NEWEST)
