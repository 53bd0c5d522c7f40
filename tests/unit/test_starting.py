"""A start, in an interpreter of its own: what cannot be imported meanwhile, and when it is collected."""

import subprocess
import sys

PROGRAM = """
import gc, importlib, sys
import relay.starting as module
from relay.starting import starting

def is_there(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True

"""


def run(program: str) -> list[str]:
    """What the program prints, line by line."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_packages_nobody_asked_for_are_missing_until_the_server_answers() -> None:
    program = """
with starting() as ready:
    print(is_there("rich"), is_there("rich.console"))
    ready()
    print(is_there("rich"), is_there("rich.console"))
"""
    assert run(program) == ["False False", "True True"]


def test_a_package_already_loaded_stays() -> None:
    assert run("import rich\nwith starting():\n    print(is_there('rich'), sys.modules['rich'] is rich)") == [
        "True True"
    ]


def test_nothing_is_collected_until_the_server_answers_and_what_is_there_then_is_passed_over() -> None:
    program = """
with starting() as ready:
    print(gc.isenabled(), gc.get_freeze_count())
    ready()
    print(gc.isenabled(), gc.get_freeze_count() > 1000, gc.get_threshold()[0] == module.YOUNG_OBJECTS)
"""
    assert run(program) == ["False 0", "True True True"]


def test_a_start_that_fails_leaves_all_as_it_was() -> None:
    program = """
before = gc.get_threshold()
try:
    with starting():
        raise OSError
except OSError:
    print(gc.isenabled(), gc.get_freeze_count(), gc.get_threshold() == before, is_there("rich"))
"""
    assert run(program) == ["True 0 True True"]
