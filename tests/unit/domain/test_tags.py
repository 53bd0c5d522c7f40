"""Tags: parsed from anywhere, never a secret, and what is bound stays bound."""

from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.tags import (
    BOUND_SOURCES,
    MAX_TAG_CHARACTERS,
    MAX_TAGS,
    MAX_WORDS,
    PLACEHOLDERS,
    Tag,
    TagSource,
    looks_secret,
    merge,
    parse,
    parse_list,
)

BOUND: tuple[TagSource, ...] = ("key", "alias", "router")
FREE: tuple[TagSource, ...] = ("header", "model", "bearer")

SECRETS = (
    "sk-ant-api03-abcdefghijklmnop",
    "sk-proj-ABCDEFGHIJKLMNOP",
    "sk_live_0123456789abcdef",
    "gsk_abcdefghijklmnopqrstuvwx",
    "xai-abcdefghijklmnopqrstuv",
    "pplx-abcdefghijklmnopqrstuv",
    "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwxyz012345",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln",
    "lr_abcdefghijkl_abcdefghijklmnopqrstuvwxyzABCDEFGHI",
    "0123456789abcdef0123456789abcdef",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)


def spelled(tags: tuple[Tag, ...]) -> list[str]:
    return [str(tag) for tag in tags]


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        ("alice", ["tag:alice"]),
        ("team:web", ["team:web"]),
        ("TEAM: Web ", ["team:Web"]),
        ("url:http://x", ["url:http://x"]),
        ("alice,project:x, ,,", ["tag:alice", "project:x"]),
        ("a:1,a:2", ["a:1", "a:2"]),
        (":x", []),
        ("x:", []),
        (":", []),
        ("", []),
        ("bad\x00word,bad\nword,good", ["tag:good"]),
        (
            "keyboard-department,skills-development,hf-team",
            ["tag:keyboard-department", "tag:skills-development", "tag:hf-team"],
        ),
    ],
)
def test_a_list_reads_as_tags(words: str, tags: list[str]) -> None:
    assert spelled(parse_list(words, "header")) == tags


def test_a_tag_remembers_its_source() -> None:
    assert parse_list("team:web", "bearer") == (Tag("team", "web", "bearer"),)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", ["{}", "key:{}", "{}:x", " {} ", "project:{}"])
def test_a_secret_is_never_a_tag_in_whatever_place(secret: str, form: str) -> None:
    assert looks_secret(secret)
    assert parse([form.format(secret)], "bearer") == ()


@given(
    st.text(ascii_letters + digits + "-_", min_size=20, max_size=50),
    st.sampled_from(("sk-", "gsk_", "xai-", "lr_")),
)
def test_nothing_with_a_vendors_prefix_is_stored(rest: str, prefix: str) -> None:
    assert parse([prefix + rest], "bearer") == ()


@pytest.mark.parametrize("placeholder", sorted(PLACEHOLDERS))
def test_what_sdks_send_for_want_of_a_key_is_no_tag(placeholder: str) -> None:
    assert parse([placeholder, placeholder.upper(), f" {placeholder} "], "bearer") == ()


def test_a_tag_is_at_most_64_characters_long() -> None:
    longest = "x" * (MAX_TAG_CHARACTERS - len("team"))
    assert spelled(parse([f"team:{longest}"], "header")) == [f"team:{longest}"]
    assert parse([f"team:{longest}x"], "header") == ()


@given(st.lists(st.text(max_size=80)), st.sampled_from(BOUND + FREE))
def test_any_words_parse_to_clean_tags_that_parse_to_themselves(words: list[str], source: TagSource) -> None:
    for tag in parse(words, source):
        assert tag.key == tag.key.strip().lower()
        assert tag.value == tag.value.strip() != ""
        assert len(tag.key) + len(tag.value) <= MAX_TAG_CHARACTERS
        assert not looks_secret(tag.value)
        assert not looks_secret(tag.key)
        assert parse([str(tag)], source) == (tag,)


def test_a_callers_tag_never_overrides_a_bound_one() -> None:
    bound, free = Tag("team", "web", "key"), Tag("team", "other", "header")
    assert merge([free], [bound]) == (bound,)
    assert merge([bound], [free]) == (bound,)


def test_two_bound_sources_may_both_speak_of_a_key() -> None:
    by_key, by_alias = Tag("team", "web", "key"), Tag("team", "api", "alias")
    assert merge([by_alias], [by_key]) == (by_alias, by_key)


def test_a_repeated_tag_keeps_its_first_place_and_source() -> None:
    first, second = Tag("a", "1", "header"), Tag("b", "2", "header")
    assert merge([first, second], [Tag("a", "1", "model")]) == (first, second)


tags = st.builds(
    Tag, st.sampled_from(("team", "user", "app")), st.sampled_from("123456"), st.sampled_from(BOUND + FREE)
)


@given(st.lists(st.lists(tags, max_size=8), max_size=4))
def test_merging_keeps_every_law(groups: list[list[Tag]]) -> None:
    merged = merge(*groups)
    given_tags = [tag for group in groups for tag in group]
    bound = [tag for tag in given_tags if tag.source in BOUND_SOURCES]
    bound_keys = {tag.key for tag in bound}
    kept = bound + [tag for tag in given_tags if tag.key not in bound_keys]
    assert set(merged) <= set(kept)
    assert len({(tag.key, tag.value) for tag in merged}) == len(merged)
    is_bound = [tag.source in BOUND_SOURCES for tag in merged]
    assert is_bound == sorted(is_bound, reverse=True), "the cap may not drop a bound tag for a caller's"
    expected = {(tag.key, tag.value) for tag in kept}
    assert len(merged) == min(len(expected), MAX_TAGS)
    assert merge(merged) == merged


def test_words_beyond_any_that_could_count_are_not_looked_at() -> None:
    words = [f"tag-{number}" for number in range(MAX_WORDS + 1)]
    assert len(parse(words, "header")) == MAX_WORDS
    assert len(parse_list("," * MAX_WORDS + "late", "header")) == 0
