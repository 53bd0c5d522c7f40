"""Names: two spellings of one name are equal, and only those."""

import time
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.names import closest, normalise, split_prefix, split_tags

spelled = st.text(ascii_letters + digits + " -_./:@éЖ", max_size=24)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("llama3", "llama3"),
        ("Llama3:Latest", "llama3"),
        ("  llama3:latest ", "llama3"),
        ("llama3 :latest", "llama3"),
        ("llama3:latest:latest", "llama3"),
        ("llama3:8b", "llama3:8b"),
        ("registry.ollama.ai/Library/llama3:latest", "registry.ollama.ai/library/llama3"),
        (":latest", ":latest"),
        ("latest", "latest"),
        ("", ""),
    ],
)
def test_names_compare_without_case_blanks_and_the_latest_tag(name: str, normal: str) -> None:
    assert normalise(name) == normal


@given(spelled)
def test_normalising_twice_changes_nothing(name: str) -> None:
    assert normalise(normalise(name)) == normalise(name)


@given(spelled.filter(lambda name: name.strip()[:1] not in ("", ":")))
def test_case_blanks_and_the_latest_tag_never_make_another_name(name: str) -> None:
    assert normalise(name) == normalise(f" {name.upper()}:LATEST\t")


@pytest.mark.parametrize(
    ("name", "model", "tags"),
    [
        ("gpt-5", "gpt-5", ()),
        ("gpt-5@alice", "gpt-5", ("alice",)),
        ("gpt-5@alice, team:web ,,", "gpt-5", ("alice", "team:web")),
        ("gpt-5@", "gpt-5", ()),
        ("a@b@c", "a@b", ("c",)),
        ("@cf/meta/llama-3", "@cf/meta/llama-3", ()),
        ("@", "@", ()),
    ],
)
def test_tags_follow_the_last_at_sign(name: str, model: str, tags: tuple[str, ...]) -> None:
    assert split_tags(name) == (model, tags)


def test_a_name_is_split_at_every_separator_with_the_longest_prefix_first() -> None:
    assert list(split_prefix("a/b/c", "/")) == [("a/b", "c"), ("a", "b/c")]


@pytest.mark.parametrize("name", ["", "/", "a", "/a", "a/"])
def test_a_split_never_has_an_empty_side(name: str) -> None:
    assert list(split_prefix(name, "/")) == []


@given(st.text("ab-", max_size=20))
def test_every_split_spells_the_name_again(name: str) -> None:
    for prefix, rest in split_prefix(name, "-"):
        assert f"{prefix}-{rest}" == name
        assert prefix
        assert rest


KNOWN = ("openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "Sonnet", "ollama/qwen3:8b")


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("openai/gpt-5-mimi", "openai/gpt-5-mini"),
        ("gtp-5-mini", "openai/gpt-5-mini"),
        ("SONET", "Sonnet"),
        ("qwen3:7b", "ollama/qwen3:8b"),
        ("anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4-5"),
    ],
)
def test_the_nearest_name_is_suggested_first_as_it_is_listed(wrong: str, near: str) -> None:
    assert closest(wrong, KNOWN)[0] == near


def test_nothing_alike_means_no_suggestion() -> None:
    assert closest("zzzzzz", KNOWN) == ()
    assert closest("", KNOWN) == ()
    assert closest("gpt", ()) == ()


@given(st.text(max_size=40), st.lists(st.sampled_from(KNOWN)))
def test_suggestions_are_few_distinct_and_known(name: str, known: list[str]) -> None:
    near = closest(name, known)
    assert len(near) <= 3
    assert len(set(near)) == len(near)
    assert set(near) <= set(known)


def test_the_nearest_of_thousands_of_alike_names_is_still_found() -> None:
    many = [f"openrouter/vendor{number % 60}/model-{number}-instruct" for number in range(3000)]
    assert closest("openrouter/vendor17/model-77-instruc", many)[0] == "openrouter/vendor17/model-77-instruct"
    assert closest("model-1234-instrukt", many)[0] == "openrouter/vendor34/model-1234-instruct"


def test_a_name_of_default_tags_alone_takes_no_time() -> None:
    began = time.process_time()
    assert normalise("m" + ":latest" * 500_000) == "m"
    assert normalise("m" + ":latest  " * 500_000) == "m"
    assert time.process_time() - began < 2


def test_a_name_of_separators_alone_is_not_read_in_every_way_there_is() -> None:
    began = time.process_time()
    ways = list(split_prefix("/" * 1_000_000, "/"))
    assert len(ways) <= 513
    assert time.process_time() - began < 2
    assert list(split_prefix("a/b/c", "/")) == [("a/b", "c"), ("a", "b/c")]
