"""What a caller gets of a provider's vectors: as many as inputs, of numbers, no longer than asked, of length 1."""

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.embeddings import EmbedRequest, EmbedResponse, Vector, fitted
from relay.domain.errors import Malformed
from relay.domain.usage import Usage

numbers = st.floats(-1e6, 1e6, width=32).filter(lambda number: number == 0 or abs(number) > 1e-6)


def answer(*vectors: list[float]) -> EmbedResponse:
    return EmbedResponse(vectors=tuple(array("d", vector) for vector in vectors), usage=Usage(input_tokens=3))


def request(count: int = 1, *, dimensions: int | None = None, unit_length: bool = False) -> EmbedRequest:
    texts = tuple(f"text {number}" for number in range(count))
    return EmbedRequest(model="m", texts=texts, dimensions=dimensions, unit_length=unit_length)


def length(vector: Vector) -> float:
    return math.hypot(*vector)


def test_vectors_that_are_as_asked_are_not_touched() -> None:
    given_ = answer([3.0, 4.0], [0.0, 0.5])
    assert fitted(given_, request(2)) is given_
    unit = answer([0.6, 0.8], [1.0, 0.0])
    assert fitted(unit, request(2, dimensions=2, unit_length=True)) is unit


def test_a_vector_that_is_longer_than_asked_is_cut_and_has_length_1() -> None:
    response = fitted(answer([3.0, 4.0, 12.0]), request(dimensions=2))
    assert list(response.vectors[0]) == [0.6, 0.8]
    assert response.usage == Usage(input_tokens=3)


def test_a_vector_that_is_shorter_than_asked_stays_as_it_is() -> None:
    given_ = answer([3.0, 4.0])
    assert fitted(given_, request(dimensions=5)) is given_


def test_length_1_is_given_where_it_is_promised() -> None:
    response = fitted(answer([3.0, 4.0], [0.0, -2.0]), request(2, unit_length=True))
    assert [list(vector) for vector in response.vectors] == [[0.6, 0.8], [0.0, -1.0]]


def test_a_length_that_rounding_has_left_near_1_counts_as_1() -> None:
    near = answer([0.6, 0.80002])
    assert fitted(near, request(unit_length=True)) is near
    off = fitted(answer([0.6, 0.801]), request(unit_length=True))
    assert length(off.vectors[0]) == pytest.approx(1.0, abs=1e-12)


def test_a_vector_of_zeros_has_no_direction_and_stays() -> None:
    zeros = answer([0.0, 0.0, 0.0])
    assert list(fitted(zeros, request(unit_length=True)).vectors[0]) == [0.0, 0.0, 0.0]
    assert list(fitted(zeros, request(dimensions=2)).vectors[0]) == [0.0, 0.0]


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param([], id="none"),
        pytest.param([[1.0]], id="too few"),
        pytest.param([[1.0]] * 3, id="too many"),
        pytest.param([[1.0, 2.0], [1.0]], id="different sizes"),
        pytest.param([[], []], id="empty"),
        pytest.param([[1.0], [math.nan]], id="not a number"),
        pytest.param([[1.0], [-math.inf]], id="infinite"),
        pytest.param([[1.0], [1e39]], id="beyond 32 bits"),
        pytest.param([[1e308, 1e308], [1e308, 1e308]], id="beyond 64 bits"),
    ],
)
def test_what_cannot_be_the_answer_is_refused(vectors: list[list[float]]) -> None:
    with pytest.raises(Malformed):
        fitted(answer(*vectors), request(2))


def test_the_count_is_that_of_the_inputs_of_either_kind() -> None:
    assert EmbedRequest(model="m", texts=("a", "")).count == 2
    assert EmbedRequest(model="m", token_lists=((1, 2, 3),)).count == 1
    assert EmbedRequest(model="m").count == 0
    nothing = EmbedResponse(vectors=())
    assert fitted(nothing, EmbedRequest(model="m")) is nothing


@given(
    st.integers(1, 12).flatmap(
        lambda size: st.lists(st.lists(numbers, min_size=size, max_size=size), min_size=1)
    ),
    st.none() | st.integers(1, 14),
    st.booleans(),
)
def test_whatever_comes_fits_and_fits_again(
    vectors: list[list[float]], dimensions: int | None, unit_length: bool
) -> None:
    asked = request(len(vectors), dimensions=dimensions, unit_length=unit_length)
    response = fitted(answer(*vectors), asked)
    size = min(len(vectors[0]), dimensions or len(vectors[0]))
    assert {len(vector) for vector in response.vectors} == {size}
    for before, after in zip(vectors, response.vectors, strict=True):
        if size < len(before) or unit_length:
            assert length(after) == pytest.approx(1.0, abs=1e-3) or not any(after)
        else:
            assert list(after) == before
        product = sum(one * other for one, other in zip(before, after, strict=False))
        assert product == pytest.approx(length(array("d", before[:size])) * length(after)), "one direction"
    assert fitted(response, asked) is response
