"""Forms: the model's field found and replaced, whatever else is in them."""

import pytest

from relay.adapters.dialects.multipart import MAX_PARTS, boundary_of, find_model, is_form, with_model
from relay.domain.errors import InvalidRequest

CRLF = b"\r\n"
MODEL_HEAD = b'Content-Disposition: form-data; name="model"'
FILE_HEAD = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav'


def form(*parts: tuple[bytes, bytes], boundary: bytes = b"xyz", tail: bytes = b"--\r\n") -> bytes:
    written = b"".join(b"--" + boundary + CRLF + head + CRLF * 2 + value + CRLF for head, value in parts)
    return written + b"--" + boundary + tail


AUDIO = bytes(range(256)) + b"\r\n\r\n--xy\r\nname=model"
GOOD = form(
    (FILE_HEAD, AUDIO),
    (MODEL_HEAD, b"whisper-1"),
    (b'Content-Disposition: form-data; name="language"', b"de"),
)


def test_the_model_is_replaced_and_every_other_byte_stays() -> None:
    field = find_model(GOOD, "xyz")
    assert field.name == "whisper-1"
    renamed = with_model(GOOD, field, "openai/whisper-large")
    assert renamed == GOOD.replace(b"whisper-1", b"openai/whisper-large")
    assert find_model(renamed, "xyz").name == "openai/whisper-large"


@pytest.mark.parametrize(
    "head",
    [
        b"content-disposition: form-data; name=model",
        b'Content-Disposition:form-data;name="model"',
        b'Content-Type: text/plain\r\nContent-Disposition: form-data; name="model"',
    ],
)
def test_a_field_is_known_by_its_name_however_it_is_spelled(head: bytes) -> None:
    assert find_model(form((head, b" whisper-1 ")), "xyz").name == "whisper-1"


def test_a_preamble_and_an_epilogue_are_passed_over() -> None:
    assert find_model(b"hello\r\n" + GOOD + b"bye", "xyz").name == "whisper-1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--xyz",
        b"no form at all",
        form((FILE_HEAD, AUDIO)),
        form((MODEL_HEAD, b"")),
        form((MODEL_HEAD, b"\xff\xfe")),
        form((MODEL_HEAD, b"m" * 5000)),
        form((MODEL_HEAD, b"a"), (MODEL_HEAD, b"b")),
        form((MODEL_HEAD, b"a"), tail=b""),
        form((MODEL_HEAD, b"a"), tail=b"zzz--\r\n"),
        GOOD[:-20],
        b"--xyz\r\nno head",
        form((b"Content-Disposition: form-data", b"a"), (MODEL_HEAD, b"a")),
        form((b'Content-Disposition: form-data;\r\n name="model"', b"a")),
        form((b'Content-Disposition: form-data; name="x"; name="model"', b"a")),
        form((b"Content-Disposition: form-data; name*=UTF-8''model", b"a")),
        form((MODEL_HEAD + CRLF + b'Content-Disposition: form-data; name="x"', b"a")),
    ],
)
def test_what_is_no_form_with_one_model_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        find_model(body, "xyz")


@pytest.mark.parametrize(
    "hidden",
    [
        b'a\n--xyz\nContent-Disposition: form-data; name="model"\n\nsecret\n--xyz',
        b'a\r--xyz\rContent-Disposition: form-data; name="model"\r\rsecret',
        b"a\r\n--xyzzy\r\n\r\n",
    ],
)
def test_a_model_that_only_a_laxer_reader_would_see_is_refused(hidden: bytes) -> None:
    with pytest.raises(InvalidRequest):
        find_model(form((MODEL_HEAD, b"mine"), (FILE_HEAD, hidden)), "xyz")


def test_a_file_name_is_no_field_name() -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="; name=\\"model\\""'
    assert find_model(form((head, b"a"), (MODEL_HEAD, b"b")), "xyz").name == "b"


def test_a_form_of_very_many_parts_is_refused_at_once() -> None:
    parts = [(b'Content-Disposition: form-data; name="x"', b"")] * (MAX_PARTS + 1)
    with pytest.raises(InvalidRequest, match="parts"):
        find_model(form(*parts), "xyz")


def test_a_model_of_several_lines_would_end_its_part() -> None:
    with pytest.raises(InvalidRequest):
        with_model(GOOD, find_model(GOOD, "xyz"), "a\r\n--xyz--")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=xyz", "xyz"),
        ('Multipart/Form-Data; charset=utf-8; boundary="x y:z"', "x y:z"),
        ("multipart/form-data; boundary=----WebKitFormBoundary7MA4", "----WebKitFormBoundary7MA4"),
    ],
)
def test_the_boundary_is_read(content_type: str, boundary: str) -> None:
    assert is_form(content_type)
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        'multipart/form-data; boundary="a\x00b"',
        f"multipart/form-data; boundary={'x' * 80}",
    ],
)
def test_a_form_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        boundary_of(content_type)
