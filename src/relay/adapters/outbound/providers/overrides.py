"""Reads the `[overrides."provider/glob"]` sections: what models are, and how they want to be asked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Self

import msgspec
from msgspec.structs import fields

from relay.adapters.outbound.providers.quirks import NO_QUIRKS, Quirks
from relay.adapters.outbound.providers.spec import ProviderSpec
from relay.domain.capabilities import Capability
from relay.domain.names import normalise
from relay.domain.overrides import Override
from relay.settings import Finding
from relay.settings.wording import fitting, unknown_key

type Tokens = Annotated[int, msgspec.Meta(ge=0)]

_LATER = dict.fromkeys(("price", "prices"), "prices")


class OverrideSection(Quirks, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of quirks, and what a model is; `reason` is for people."""

    context_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    capabilities: tuple[Capability, ...] | None = None
    disabled: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReadOverride:
    """One section: what it says of the models it means, and how they want to be asked."""

    override: Override
    quirks: Quirks

    @classmethod
    def of(cls, pattern: str, section: OverrideSection) -> Self:
        """The two sides of a section."""
        capabilities = section.capabilities
        override = Override(
            pattern=pattern,
            context_tokens=section.context_tokens,
            max_output_tokens=section.max_output_tokens,
            capabilities=None if capabilities is None else frozenset(capabilities),
            is_disabled=section.disabled,
        )
        return cls(override, Quirks(**{field.name: getattr(section, field.name) for field in fields(Quirks)}))


def read_overrides(
    sections: Mapping[str, Mapping[str, object]],
) -> tuple[tuple[ReadOverride, ...], list[Finding]]:
    """The overrides that are right, in the order of the file, and what is wrong; paths begin at the pattern."""
    read: list[ReadOverride] = []
    findings: list[Finding] = []
    for pattern, section in sections.items():
        wrong = [*_wrong_pattern(pattern), *_wrong_keys(pattern, section)]
        if not wrong:
            read.append(ReadOverride.of(pattern, msgspec.convert(section, OverrideSection)))
        findings += wrong
    return tuple(read), findings


def with_overrides(spec: ProviderSpec, overrides: Iterable[ReadOverride]) -> ProviderSpec:
    """The provider with the quirks that the overrides give its models."""
    own = tuple(
        (model, read.quirks)
        for read in overrides
        if read.quirks != NO_QUIRKS
        for provider, _, model in [read.override.pattern.partition("/")]
        if fnmatchcase(normalise(spec.name), normalise(provider))
    )
    return msgspec.structs.replace(spec, overrides=own) if own else spec


def _wrong_pattern(pattern: str) -> Iterator[Finding]:
    provider, slash, model = pattern.partition("/")
    if not (provider.strip() and slash and model.strip()):
        reason, how = (
            "names no provider and model",
            'Write [overrides."PROVIDER/MODEL"]; either may hold "*".',
        )
        yield Finding((pattern,), reason, how, at_key=True)


def _wrong_keys(pattern: str, section: Mapping[str, object]) -> Iterator[Finding]:
    known = [field.name for field in fields(OverrideSection)]
    for key, value in section.items():
        if key not in known:
            yield Finding((pattern, key), *unknown_key(key, known, _LATER), at_key=True)
            continue
        try:
            msgspec.convert({key: value}, OverrideSection)
        except msgspec.ValidationError as error:
            yield fitting(str(error), OverrideSection).below(pattern)
