"""From a YAML file of model overrides, as the relay's forerunner kept them, to sections of relay.toml.

Below each provider stand `defaults`, `patterns` (globs of ids, later ones over earlier ones) and `models` (exact
ids), in this order of weight; a rule may have `disabled`, `use_max_completion_tokens`, `supports_system_prompt`,
`unsupported_params` and `reason`. YAML is read by msgspec, through the library that the web framework brings along.
"""

import json
import re
from collections.abc import Iterator, Mapping

import msgspec

_KINDS = {"google": "gemini", "x-ai": "xai"}
_GLOB = re.compile(r"[*?\[\]]")


class UnreadableRules(ValueError):
    """The file is not one of model overrides."""


def imported(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The sections as TOML, and a remark on each rule that has no place in them. Raises `UnreadableRules`."""
    try:
        read = msgspec.yaml.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise UnreadableRules("not YAML") from None
    providers = _table(read).get("providers", read)
    if not isinstance(providers, dict) or not providers:
        raise UnreadableRules("it names no providers")
    sections: list[str] = []
    remarks: list[str] = []
    for provider, rules in providers.items():
        if not isinstance(rules, dict):
            remarks.append(f"{provider}: no table of rules")
            continue
        for pattern, rule in _rules(rules):
            name = f"{_KINDS.get(str(provider), provider)}/{pattern}"
            lines = list(_lines(name, rule, remarks))
            if lines:
                sections.append("\n".join((f"[overrides.{_quoted(name)}]", *lines)))
    return "".join(f"{section}\n\n" for section in sections), tuple(remarks)


def _rules(rules: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The rules of a provider by glob, the weightiest last. `patterns` may be a table or a list."""
    if defaults := rules.get("defaults"):
        yield "*", defaults
    patterns = rules.get("patterns")
    listed = patterns if isinstance(patterns, list) else []
    for rule in listed:
        table = _table(rule)
        if isinstance(pattern := table.get("pattern", table.get("match")), str):
            yield pattern, {key: value for key, value in table.items() if key not in ("pattern", "match")}
    for pattern, rule in _table(patterns).items():
        yield str(pattern), rule
    for model, rule in _table(rules.get("models")).items():
        yield _GLOB.sub(lambda found: f"[{found[0]}]", str(model)), rule


def _lines(name: str, rule: object, remarks: list[str]) -> Iterator[str]:
    for key, value in _table(rule).items():
        match key, value:
            case "disabled", bool():
                yield f"disabled = {_toml(value)}"
            case "use_max_completion_tokens", True:
                yield 'rename = { max_tokens = "max_completion_tokens" }'
            case "use_max_completion_tokens", False:
                yield 'rename = { max_completion_tokens = "max_tokens" }'
            case "supports_system_prompt", False:
                yield 'instructions = "in_prompt"'
            case "supports_system_prompt", True:
                pass  # as it is without a word
            case "unsupported_params", list() if all(isinstance(word, str) for word in value):
                yield f"drop = [{', '.join(_quoted(word) for word in value)}]"
            case "reason", str():
                yield f"reason = {_quoted(value)}"
            case _:
                remarks.append(f"{name}: {key} has no place in relay.toml")


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _toml(value: bool) -> str:
    return "true" if value else "false"


def _quoted(text: str) -> str:
    """A TOML basic string, whose escapes are those of JSON but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
