"""Reads a provider's section of relay.toml: the provider it describes, or everything that is wrong with it.

The catalog (`spec.py`) stops at the first thing that is wrong; here it is asked again without that, for the next.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from msgspec.structs import fields

from relay.adapters.outbound.providers.spec import Address, ProviderSpec, SpecError, configured, kinds
from relay.settings import Finding
from relay.settings.wording import did_you_mean, fitting, unknown_key

_KEYS = tuple(field.name for field in fields(ProviderSpec) if field.name not in ("name", "overrides"))
_SHELL_VARIABLE = re.compile(r"\$\{?\w+\}?")
_ADVICE = {
    "base_url": 'Write it as its vendor does, such as "http://10.0.0.8:8000/v1".',
    "kind": f"Known: {', '.join(kinds())}.",
    "manage": "Leave the key out.",
    "models": 'Write ids, such as ["llama3.3"], or leave the key out.',
    "auth.header": 'Add header = "…".',
    "": "Rename the section.",
}
"""What to do about what the catalog refuses, by the key it refuses."""


def read_section(
    name: str, section: Mapping[str, object], environ: Mapping[str, str], listening: Address
) -> tuple[ProviderSpec | None, list[Finding]]:
    """The provider of `[providers.NAME]`, or what is wrong; paths begin at the section.

    `listening` is the relay's own address. No finding tells what a value was.
    """
    findings = [*_unknown_keys(section), *_wrong_kind(name, section), *_wrong_key_reference(section)]
    wrong = {finding.path[:1] for finding in findings}
    if not wrong.isdisjoint({(), ("kind",)}):
        return None, findings
    rest = {key: value for key, value in section.items() if (key,) not in wrong}
    while True:
        try:
            spec = configured(name, rest, environ, listening=[listening])
        except SpecError as error:
            finding = explained(error)
            if finding.path[:1] in wrong:
                return None, findings  # it is missing only because it was wrong
            findings.append(finding)
            wrong.add(finding.path[:1])
            if not finding.path or rest.pop(str(finding.path[0]), None) is None:
                return None, findings
        else:
            return (None, findings) if findings else (spec, [])


def explained(error: SpecError) -> Finding:
    """What the catalog refused, in the words of the configuration; its path begins at the section."""
    path = tuple(error.key.split(".")) if error.key else ()
    reason, _, suggestion = str(error).partition("; did you mean ")
    if suggestion:
        return Finding(path, reason, f'Did you mean "{suggestion[1:-2]}"?', at_key=True)
    if reason.startswith(("Expected", "Invalid", "Object")):
        return fitting(reason, ProviderSpec, path)
    reason, colon, advice = reason.partition(": ")
    advice = f"{advice[:1].upper()}{advice[1:].removesuffix('?')}{'?' if advice.endswith('?') else '.'}"
    return Finding(path, reason, advice if colon else _ADVICE.get(error.key, "Change the value."))


def _unknown_keys(section: Mapping[str, object]) -> Iterator[Finding]:
    for key in section:
        if key not in _KEYS:
            yield Finding((key,), *unknown_key(key, _KEYS, {}), at_key=True)


def _wrong_kind(name: str, section: Mapping[str, object]) -> Iterator[Finding]:
    kind = section.get("kind", name)
    if not isinstance(kind, str):
        yield Finding(("kind",), "must be a text", _ADVICE["kind"])
    elif kind not in kinds():
        path = ("kind",) if "kind" in section else ()
        if path:
            yield Finding(path, "unknown kind", did_you_mean(kind, kinds()))
        else:
            near = get_close_matches(kind.lower(), kinds(), 1, 0.6) or ["openai-compatible"]
            yield Finding(path, "needs a kind, as its own name is none", f'Add kind = "{near[0]}".')


def _wrong_key_reference(section: Mapping[str, object]) -> Iterator[Finding]:
    """What is wrong with `api_key`, without a word of what it holds."""
    match section.get("api_key"):
        case None:
            return
        case str() as text:
            kind, colon, rest = text.partition(":")
            if wrong := _wrong_reference(kind.strip().lower() if colon else "", rest, text):
                yield Finding(("api_key",), *wrong)
        case _:
            yield Finding(("api_key",), "must be a text", 'Write "env:NAME", "file:/path" or the key itself.')


def _wrong_reference(kind: str, rest: str, text: str) -> tuple[str, str] | None:
    if not text.strip():
        return "is empty", 'Write "env:NAME" or "file:/path", or leave the key out.'
    if _SHELL_VARIABLE.fullmatch(text.strip()):
        return "is a variable as a shell writes it", 'Write "env:NAME".'
    if kind == "env" and not re.fullmatch(r"[A-Za-z_]\w*", rest):
        return "names no variable", 'Write "env:NAME", such as "env:OPENAI_API_KEY".'
    if kind == "file" and (problem := _unreadable(rest)):
        return problem, 'Write "file:/path" of a file that holds the key alone.'
    if kind in ("env", "file") and not text.startswith(f"{kind}:"):
        return "is no key", f'Write "{kind}:…" in lower case and without blanks.'
    return None


def _unreadable(path: str) -> str:
    if not path.strip():
        return "names no file"
    try:
        with Path(path).expanduser().open("rb"):
            return ""
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        return f"names a file that cannot be read: {why}"
