"""Reads the configuration: defaults < relay.toml < environment < flags.

Nothing is read and ignored: an unknown key, a wrong value and a section whose feature is not there are mistakes,
and all that can be found in one reading are told together.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from relay.settings.document import Document
from relay.settings.mistakes import ConfigurationError, Finding, Mistake
from relay.settings.model_rules import model_findings
from relay.settings.tree import (
    LATER_SECTIONS,
    NAMED_SECTIONS,
    SECTIONS,
    Auth,
    Database,
    Flags,
    Model,
    Server,
    Settings,
)
from relay.settings.value_rules import wrong_origin, wrong_value
from relay.settings.wording import did_you_mean, fitting

type Report = Callable[[Finding], None]

_KNOWN_SECTIONS = (*SECTIONS, *NAMED_SECTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read, and what is wrong with it. Beside mistakes, the settings are what was right."""

    settings: Settings
    document: Document
    mistakes: tuple[Mistake, ...]


def load(
    *, file: Path | None, environment: Mapping[str, str], flags: Flags | None = None, home: Path | None = None
) -> Settings:
    """The settings in force. Raises `ConfigurationError` with every mistake."""
    reading = read(file=file, environment=environment, flags=flags, home=home)
    if reading.mistakes:
        raise ConfigurationError(reading.mistakes)
    return reading.settings


def read(
    *, file: Path | None, environment: Mapping[str, str], flags: Flags | None = None, home: Path | None = None
) -> Reading:
    """The settings and their mistakes. Without `file` it is looked for along the search path."""
    path = file or found(environment, home)
    mistakes: list[Mistake] = []
    document = Document("defaults")
    if path is not None:
        document = _opened(path, mistakes)
    tree, broken = document.parsed()
    if broken:
        mistakes.append(broken)
    mistakes += _unknown_sections(tree, document)
    mistakes += _later_variables(environment)
    given = _Given(tree, document, environment, flags or {}, mistakes)
    settings = Settings(
        server=given.server(),
        auth=given.section("auth", Auth),
        database=given.section("database", Database),
        providers=given.tables("providers"),
        models=given.models(),
        overrides=given.tables("overrides"),
        source=path,
        flags=flags or {},
    )
    return Reading(settings=settings, document=document, mistakes=tuple(mistakes))


def search_path(environment: Mapping[str, str], home: Path | None = None) -> tuple[Path, ...]:
    """Where relay.toml is looked for when no flag names it, first match wins."""
    named = environment.get("RELAY_CONFIG")
    if named:
        return (Path(named),)
    user = Path(environment.get("XDG_CONFIG_HOME") or (home or Path.home()) / ".config")
    return (Path("relay.toml"), user / "relay" / "relay.toml", Path("/etc/relay/relay.toml"))


def found(environment: Mapping[str, str], home: Path | None = None) -> Path | None:
    """The file that no flag names: the one `RELAY_CONFIG` names, there or not, else the first that is there."""
    candidates = search_path(environment, home)
    if environment.get("RELAY_CONFIG"):
        return candidates[0]
    return next((path for path in candidates if os.path.lexists(path)), None)


@dataclass(frozen=True, slots=True)
class _Given:
    """All that was said, and the list its mistakes go to."""

    tree: Mapping[str, object]
    document: Document
    environment: Mapping[str, str]
    flags: Flags
    mistakes: list[Mistake]

    def server(self) -> Server:
        """The listener's section, with the origins that two variables of their own add to it."""
        server = self.section("server", Server)
        return msgspec.structs.replace(server, origins=(*server.origins, *self._added_origins()))

    def section[T: (Server, Auth, Database)](self, name: str, kind: type[T]) -> T:
        """A section with fixed keys, with what was right about it."""
        in_file = _fitting_values(kind, self.table(name), self._report_below(name))
        outer = {**self._from_environment(name, kind), **self._from_flags(name, kind)}
        return msgspec.convert({**in_file, **outer}, kind, strict=False)

    def models(self) -> dict[str, Model]:
        """The virtual models that are right in themselves."""
        models: dict[str, Model] = {}
        for name, table in self.tables("models").items():
            before = len(self.mistakes)
            values = _fitting_values(Model, table, self._report_below("models", name))
            if len(self.mistakes) == before:
                models[name] = msgspec.convert(values, Model)
        for finding in model_findings(models):
            self._report_below("models")(finding)
        return models

    def tables(self, name: str) -> dict[str, dict[str, object]]:
        """A section of tables under names of the user's own."""
        tables: dict[str, dict[str, object]] = {}
        for key, table in self.table(name).items():
            if isinstance(table, dict):
                tables[key] = table
            else:
                self._report_below(name)(_no_table(key, f"{name}.NAME"))
        return tables

    def table(self, name: str) -> dict[str, object]:
        """A section as the file has it; empty where it has none."""
        table = self.tree.get(name, {})
        if isinstance(table, dict):
            return table
        self._report_below()(_no_table(name, name))
        return {}

    def _report_below(self, *table: str) -> Report:
        return lambda finding: self.mistakes.append(self.document.mistake(finding.below(*table)))

    def _from_environment(self, section: str, kind: type[msgspec.Struct]) -> dict[str, object]:
        """`RELAY_<SECTION>_<KEY>`, and `DATABASE_URL`."""
        prefix = f"RELAY_{section.upper()}_"
        names = {
            name.removeprefix(prefix).lower(): name for name in self.environment if name.startswith(prefix)
        }
        if section == "database" and self.environment.get("DATABASE_URL"):
            names.setdefault("url", "DATABASE_URL")
        lists = [field.name for field in msgspec.structs.fields(kind) if field.default == ()]
        values: dict[str, object] = {
            key: _listed(self.environment[name]) if key in lists else self.environment[name]
            for key, name in names.items()
        }
        return _fitting_values(kind, values, self._report_outside("environment", names), strict=False)

    def _added_origins(self) -> Iterator[str]:
        """`OLLAMA_ORIGINS`, as Ollama reads it, and the same by our name."""
        for name in ("OLLAMA_ORIGINS", "RELAY_ORIGINS"):
            for origin in _listed(self.environment.get(name, "")):
                if wrong := wrong_origin(origin):
                    self.mistakes.append(_outside("environment", name, Finding((), *wrong)))
                else:
                    yield origin

    def _from_flags(self, section: str, kind: type[msgspec.Struct]) -> dict[str, object]:
        values = self.flags.get(section, {})
        report = self._report_outside("flags", {key: f"--{key}" for key in values})
        return _fitting_values(kind, values, report, strict=False)

    def _report_outside(self, source: str, names: Mapping[str, str]) -> Report:
        return lambda finding: self.mistakes.append(_outside(source, names[str(finding.path[0])], finding))


def _outside(source: str, key: str, finding: Finding) -> Mistake:
    return Mistake(source=source, key=key, reason=finding.reason, suggestion=finding.suggestion)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))


def _no_table(key: str, header: str) -> Finding:
    return Finding((key,), "must be a table", f"Write [{header}] and its keys below.", at_key=True)


def _opened(path: Path, mistakes: list[Mistake]) -> Document:
    reason, suggestion = "", ""
    try:
        return Document(str(path), path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except IsADirectoryError:
        reason, suggestion = "is a directory", "Name the file in it."
    except FileNotFoundError:
        reason, suggestion = "cannot be read: no such file", "Check --config and RELAY_CONFIG."
    except OSError as error:
        reason, suggestion = f"cannot be read: {error.strerror}", "Check its permissions and where it leads."
    except UnicodeDecodeError as error:
        reason, suggestion = f"is not UTF-8 from byte {error.start} on", "Save it as UTF-8."
    mistakes.append(Mistake(source=str(path), reason=reason, suggestion=suggestion))
    return Document(str(path))


def _unknown_sections(tree: Mapping[str, object], document: Document) -> Iterator[Mistake]:
    for name, value in tree.items():
        if name in _KNOWN_SECTIONS:
            continue
        if feature := LATER_SECTIONS.get(name):
            reason, suggestion = f"not in this version: {feature}", "Leave the section out."
        elif isinstance(value, dict):
            reason, suggestion = "unknown section", did_you_mean(name, _KNOWN_SECTIONS)
        else:
            reason, suggestion = "stands in no section", _section_of(name)
        yield document.mistake(Finding((name,), reason, suggestion, at_key=True))


def _section_of(key: str) -> str:
    owner = next((name for name, kind in SECTIONS.items() if key in kind.__struct_fields__), None)
    return f"Write it below [{owner}]." if owner else f"Known: {', '.join(_KNOWN_SECTIONS)}."


def _later_variables(environment: Mapping[str, str]) -> Iterator[Mistake]:
    for name in environment:
        section = match[1].lower() if (match := re.match(r"RELAY_([A-Z]+)_", name)) else ""
        if feature := LATER_SECTIONS.get(section):
            yield _outside("environment", name, Finding((), f"not in this version: {feature}", "Unset it."))


def _fitting_values(
    kind: type[msgspec.Struct], values: Mapping[str, object], report: Report, *, strict: bool = True
) -> dict[str, object]:
    """Those of `values` that fit the fields of `kind`, none of which is required; the others are reported."""
    fitting_values: dict[str, object] = {}
    for key, value in values.items():
        try:
            fitted = getattr(msgspec.convert({key: value}, kind, strict=strict), key)
        except msgspec.ValidationError as error:
            report(fitting(str(error), kind))
            continue
        if wrong := wrong_value(key, fitted):
            report(Finding((key,), *wrong))
        else:
            fitting_values[key] = value
    return fitting_values
