"""Every Python file keeps to the sizes, names and habits of CONTRIBUTING.md."""

import ast
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.repository import python_files, text, tree, written_files

CLOCK = "src/relay/adapters/outbound/system.py"
READS_JSON = {
    "src/relay/adapters/dialects/lenient.py": "the one reader of what peers send",
    "src/relay/adapters/inbound/cli/port_diagnosis.py": "an unknown program's version, shown and not relied on",
    "src/relay/domain/thoughts.py": "a call's arguments, to be compared and not to be read",
}
RULES = ("tests/architecture/rules.py", "tests/architecture/test_rules.py")
GENERATED_TEXT = ("requirements.txt",)
NAMED_BY_DESIGN = ("src/relay/adapters/dialects/base.py",)


def offences[T](
    rule: Callable[[T], Iterator[str]], names: Iterable[str], view: Callable[[str], T]
) -> list[str]:
    return [f"{name}:{offence}" for name in names for offence in rule(view(name))]


def source(name: str) -> str:
    return text(name) or ""


def test_no_file_is_over_400_lines() -> None:
    assert offences(rules.long_file, python_files(), source) == []


@pytest.mark.parametrize("rule", [rules.long_functions, rules.many_positional])
def test_functions_are_short_and_their_calls_readable(rule: Callable[[ast.Module], Iterator[str]]) -> None:
    assert offences(rule, python_files(), tree) == []


def test_every_module_opens_with_the_sentence_that_says_what_it_is_for() -> None:
    assert offences(rules.no_purpose, python_files(), tree) == []


def test_modules_and_classes_are_named_after_what_is_in_them() -> None:
    names = [name for name in python_files() if name not in NAMED_BY_DESIGN]
    assert [f"{name}:{found}" for name in names for found in rules.vague_names(name, tree(name))] == []


def test_nothing_is_left_for_later() -> None:
    names = [name for name in written_files() if name not in RULES]
    assert offences(rules.unfinished, names, source) == []


def test_no_comment_draws_a_line() -> None:
    assert offences(rules.banners, python_files(), source) == []


def test_no_file_names_a_package_registry_or_a_machines_own_path() -> None:
    names = [name for name in written_files() if name not in (*RULES, *GENERATED_TEXT)]
    assert offences(rules.foreign_addresses, names, source) == []


def test_fakes_live_at_ports_and_nothing_is_mocked() -> None:
    assert offences(rules.mocks, python_files(), tree) == []


def test_annotations_can_be_read_at_run_time() -> None:
    assert offences(rules.hidden_imports, python_files("src"), tree) == []


def test_the_wall_clock_and_identities_come_through_a_port() -> None:
    names = [name for name in python_files("src") if name != CLOCK]
    assert offences(rules.clocks_and_ids, names, tree) == []


def test_json_is_read_in_one_place_that_copes_with_what_peers_send() -> None:
    names = [name for name in python_files("src") if name not in READS_JSON]
    assert offences(rules.strict_json, names, tree) == []


def test_every_cast_says_why_it_holds() -> None:
    found = [
        f"{name}:{found}" for name in python_files() for found in rules.bare_casts(tree(name), source(name))
    ]
    assert found == []
