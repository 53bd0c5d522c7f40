"""Each rule refuses what it is there to refuse, and leaves its decent neighbour alone."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules

LONG_BODY = "\n".join(["    pass"] * 50)

SYNTAX_SAMPLES: list[tuple[Callable[[ast.Module], Iterator[str]], str, str]] = [
    (rules.long_functions, f"def f():\n{LONG_BODY}", f"def f():\n{LONG_BODY[:-9]}"),
    (rules.long_functions, f"class A:\n  async def f(self):\n{LONG_BODY}", "class A:\n  pass"),
    (rules.many_positional, "def f(a, b, c, d, e, f): ...", "def f(a, b, c, d, e, *, f): ..."),
    (rules.many_positional, "def f(a, b, /, c, d, e, f): ...", "def f(self, a, b, c, d, e): ..."),
    (rules.no_purpose, "import os", '"""What it does.\n\nMore."""'),
    (rules.no_purpose, '"""just words"""', '"""A: b."""'),
    (rules.mocks, "from unittest import mock", "import unittest"),
    (rules.mocks, "import unittest.mock", "from tests.support import mocking"),
    (rules.hidden_imports, "from typing import TYPE_CHECKING", "from typing import Self"),
    (rules.hidden_imports, "from __future__ import annotations", "import __future__"),
    (rules.clocks_and_ids, "import time\ntime.time()", "import time\ntime.monotonic()"),
    (rules.clocks_and_ids, "from time import time_ns", "from time import sleep"),
    (rules.clocks_and_ids, "import datetime as d\nd.datetime.now()", "d.datetime.fromtimestamp(0)"),
    (rules.clocks_and_ids, "from uuid import uuid4", "def uuid(): ..."),
    (rules.clocks_and_ids, "def f():\n    import random", "self.random.choice()"),
    (rules.strict_json, "import json\njson.loads('1')", "import json\njson.dumps(1)"),
    (rules.strict_json, "from json import loads", "from json import dumps"),
]


@pytest.mark.parametrize(("rule", "bad", "good"), SYNTAX_SAMPLES)
def test_a_rule_of_syntax_refuses_its_sample_and_nothing_else(
    rule: Callable[[ast.Module], Iterator[str]], bad: str, good: str
) -> None:
    assert list(rule(ast.parse(bad)))
    assert not list(rule(ast.parse(good)))


TEXT_SAMPLES: list[tuple[Callable[[str], Iterator[str]], str, str]] = [
    (rules.long_file, "\n" * 401, "\n" * 400),
    (rules.unfinished, "x = 1  # TO" + "DO: more", "x = 1  # today: more"),
    (rules.unfinished, "raise NotImplemented" + "Error", "return NotImplemented"),
    (rules.banners, "# ------ parts ------", "# - a list item"),
    (rules.foreign_addresses, "see https://pypi." + "org/simple", "see https://example.org/simple"),
    (rules.foreign_addresses, "uv pip --extra-index" + "-url x", "uv pip --extra x"),
    (rules.foreign_addresses, "open('/ho" + "me/ann/x')", "open('~/x')"),
    (rules.foreign_addresses, "cd /wo" + "rk/main", "cd work/main"),
]


@pytest.mark.parametrize(("rule", "bad", "good"), TEXT_SAMPLES)
def test_a_rule_of_text_refuses_its_sample_and_nothing_else(
    rule: Callable[[str], Iterator[str]], bad: str, good: str
) -> None:
    assert list(rule(bad))
    assert not list(rule(good))


def test_a_vague_module_or_class_is_refused_by_name() -> None:
    assert list(rules.vague_names("src/relay/utils.py", ast.parse("")))
    assert list(rules.vague_names("a.py", ast.parse("class KeyManager: ...")))
    assert list(rules.vague_names("a.py", ast.parse("class BaseCodec: ...")))
    assert not list(rules.vague_names("a.py", ast.parse("class Baseline: ...\nclass Base: ...")))


def test_an_import_from_elsewhere_is_refused_even_inside_a_function() -> None:
    tree = ast.parse("import re\nfrom relay.domain import chat\ndef f():\n    import anyio.abc, msgspec")
    assert list(rules.foreign_imports(tree, "relay.domain", "anyio")) == ["4: msgspec"]
    assert list(rules.foreign_imports(tree, "relay.dom", "anyio", "msgspec")) == ["2: relay.domain.chat"]


def test_a_cast_needs_a_comment_beside_it() -> None:
    bare = "from typing import cast\n\nx = cast(int, y)\n"
    reasoned = "from typing import cast\n\n# y comes from an int column\nx = cast(int, y)\n"
    assert list(rules.bare_casts(ast.parse(bare), bare))
    assert not list(rules.bare_casts(ast.parse(reasoned), reasoned))
