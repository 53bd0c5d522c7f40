"""Usage: cumulative reports merge count by count, and unknown stays unknown."""

from hypothesis import given
from hypothesis import strategies as st

from relay.domain.usage import MAX_COUNT, USAGE_CLASSES, Usage

counts = st.dictionaries(st.sampled_from(USAGE_CLASSES), st.integers(0, MAX_COUNT))
usages = counts.map(Usage.from_counts)


@given(usages)
def test_counts_and_back_is_the_same_vector(usage: Usage) -> None:
    assert Usage.from_counts(usage.counts()) == usage


@given(counts)
def test_counts_hold_the_reported_classes_in_the_vectors_order(reported: dict[str, int]) -> None:
    listed = Usage.from_counts(reported).counts()
    assert listed == reported
    assert list(listed) == [name for name in USAGE_CLASSES if name in reported]


def test_zero_is_reported_and_none_is_not() -> None:
    assert Usage(input_tokens=0).counts() == {"input_tokens": 0}
    assert Usage().counts() == {}


def test_names_of_a_later_vector_are_ignored() -> None:
    assert Usage.from_counts({"input_tokens": 1, "telepathy_tokens": 9}) == Usage(input_tokens=1)


@given(usages, usages)
def test_a_later_report_wins_count_by_count(earlier: Usage, later: Usage) -> None:
    merged = earlier.merged(later).counts()
    assert merged == earlier.counts() | later.counts()


@given(usages, usages, usages)
def test_merging_is_associative_and_absorbs_repeats(one: Usage, two: Usage, three: Usage) -> None:
    assert one.merged(two).merged(three) == one.merged(two.merged(three))
    assert one.merged(one) == one
    assert Usage().merged(one) == one == one.merged(Usage())


def test_the_total_takes_what_was_not_reported_as_zero() -> None:
    assert Usage().total_tokens == 0
    assert Usage(output_tokens=3).total_tokens == 3
    assert Usage(input_tokens=2, cache_read_tokens=1, output_tokens=3).total_tokens == 5
