"""The configuration as a whole: the settings and the providers they describe, or every mistake in either.

Settings know nothing of provider kinds, and providers nothing of files and lines; here the two meet.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from relay.adapters.outbound.providers.overrides import read_overrides, with_overrides
from relay.adapters.outbound.providers.sections import explained, read_section
from relay.adapters.outbound.providers.spec import (
    Address,
    ProviderSpec,
    SpecError,
    found_in_environment,
    kinds,
)
from relay.domain.names import normalise
from relay.domain.overrides import Override
from relay.settings import ConfigurationError, Document, Finding, Flags, Mistake, Reading, Settings, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration without mistakes. `providers` are those of the file, then those of the environment."""

    settings: Settings
    providers: tuple[ProviderSpec, ...]
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a look at the configuration showed. Beside mistakes, `configuration` is what was right."""

    configuration: Configuration
    document: Document
    mistakes: tuple[Mistake, ...]

    def accepted(self) -> Configuration:
        """The configuration. Raises `ConfigurationError` when it has mistakes."""
        if self.mistakes:
            raise ConfigurationError(self.mistakes)
        return self.configuration


def examine(
    *,
    file: Path | None,
    environment: Mapping[str, str],
    flags: Flags | None = None,
    listening: Address | None = None,
) -> Examined:
    """Read everything and find every mistake.

    `listening` is where the relay listens already; without it, where the settings say it will.
    """
    reading = read(file=file, environment=environment, flags=flags)
    server = reading.settings.server
    return _Examination(reading, environment, listening or (server.host, server.port)).result()


@dataclass(frozen=True, slots=True)
class _Examination:
    reading: Reading
    environment: Mapping[str, str]
    listening: Address

    def result(self) -> Examined:
        settings, document = self.reading.settings, self.reading.document
        specs: list[ProviderSpec] = []
        findings: list[Finding] = []
        for name, section in settings.providers.items():
            spec, wrong = read_section(name, section, self.environment, self.listening)
            specs += [spec] if spec else []
            findings += [finding.below("providers", name) for finding in wrong]
        named = {normalise(name) for name in settings.providers}
        from_environment, outside = self._found_in_environment()
        specs += [spec for spec in from_environment if normalise(spec.name) not in named]
        overrides, wrong = read_overrides(settings.overrides)
        findings += [finding.below("overrides") for finding in wrong]
        inside = [document.mistake(finding) for finding in (*findings, *self._across())]
        configuration = Configuration(
            settings=settings,
            providers=tuple(with_overrides(spec, overrides) for spec in specs),
            overrides=tuple(read.override for read in overrides),
        )
        return Examined(
            configuration=configuration,
            document=document,
            mistakes=(*self.reading.mistakes, *inside, *outside),
        )

    def _across(self) -> Iterator[Finding]:
        """What is wrong between one section and another."""
        settings = self.reading.settings
        first: dict[str, str] = {}
        for name in settings.providers:
            other = first.setdefault(normalise(name), name)
            if other != name:
                reason = f'is the same name as "{other}"'
                yield Finding(("providers", name), reason, "Case makes no difference.", at_key=True)
        known = {normalise(name): name for name in (*settings.providers, *kinds())}
        prefixes = (name.partition("/")[0] for name in settings.models if "/" in name)
        known |= {normalise(prefix): prefix for prefix in prefixes}
        for path, target in _names_led_to(settings):
            prefix, slash, rest = target.partition("/")
            near = [name for normal, name in known.items() if _is_one_slip(normalise(prefix), normal)]
            if slash and near and normalise(prefix) not in known:
                reason, how = f'no provider is called "{prefix}"', f'Did you mean "{near[0]}/{rest}"?'
                yield Finding(path, reason, how, at_key=path[0] == "overrides")

    def _found_in_environment(self) -> tuple[tuple[ProviderSpec, ...], list[Mistake]]:
        try:
            return found_in_environment(self.environment, listening=[self.listening]), []
        except SpecError as error:
            finding = explained(error)
            key = " or ".join(self._addresses_at_fault())
            wrong = Mistake(
                source="environment", key=key, reason=finding.reason, suggestion=finding.suggestion
            )
            return (), [wrong]

    def _addresses_at_fault(self) -> list[str]:
        """The variables that hold addresses; of those, if there are such, the ones without which all is well."""
        names = [name for name in self.environment if name.endswith("_BASE_URL") or name == "OLLAMA_HOST"]
        return [name for name in names if self._is_well_without(name)] or names

    def _is_well_without(self, name: str) -> bool:
        others = {other: value for other, value in self.environment.items() if other != name}
        try:
            found_in_environment(others, listening=[self.listening])
        except SpecError:
            return False
        return True


def _names_led_to(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if settings.server.default_model:
        yield ("server", "default_model"), settings.server.default_model
    for pattern in settings.overrides:
        yield ("overrides", pattern), pattern
    for name, model in settings.models.items():
        for key in ("target", "redirect"):
            if (target := getattr(model, key)) is not None:
                yield ("models", name, key), target
        for number, entry in enumerate(model.targets or ()):
            yield ("models", name, "targets", number, "model"), entry.model


def _is_one_slip(one: str, other: str) -> bool:
    """True when one letter too many, too few, wrong or out of order makes one name the other.

    Vendors' names in ids of models (`x-ai/grok-4` at OpenRouter) resemble providers' names, too: names of less
    than four letters, and those that differ in punctuation alone, are no slips.
    """
    if len(one) < 4 or re.sub(r"\W", "", one) == re.sub(r"\W", "", other):
        return False
    short, long = sorted((one, other), key=len)
    start = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(long) - len(short) == 1:
        return short[start:] == long[start + 1 :]
    is_wrong = short[start + 1 :] == long[start + 1 :]
    is_swapped = (
        short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    )
    return len(short) == len(long) and (is_wrong or is_swapped)
