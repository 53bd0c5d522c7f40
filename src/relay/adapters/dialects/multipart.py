"""The one field of a form that the relay reads and replaces: which model is meant.

A form's other parts, files among them, are passed over by their delimiters and never copied or decoded. The grammar
is that of RFC 2046, 5.1.1 and RFC 7578; what a laxer reader could take for another form is refused, as a key that
may use one model would reach another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from relay.domain.errors import InvalidRequest

MAX_PARTS = 1000
MAX_PART_HEAD_BYTES = 8 * 1024
MAX_MODEL_BYTES = 4096

_BOUNDARY = re.compile(r'(?i);\s*boundary=(?:"([^"]*)"|([^\s;"]*))')
_BOUNDARY_CHARACTERS = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_LINE_END = re.compile(rb"(--)?[ \t]*(?:\r\n|\Z)")
_DISPOSITION = re.compile(rb"(?im)^content-disposition[ \t]*:[ \t]*form-data(.*)$")
_PARAMETER = re.compile(rb';\s*([\w*-]+)\s*=\s*("(?:[^"\\\r\n]|\\.)*"|[^\s;"]*)')


@dataclass(frozen=True, slots=True)
class ModelField:
    """Where the model's name stands in a form: from `start` to `end`, and what it says there."""

    name: str
    start: int
    end: int


def is_form(content_type: str) -> bool:
    """True for `multipart/form-data`."""
    return content_type.lstrip().lower().startswith("multipart/form-data")


def boundary_of(content_type: str) -> str:
    """The boundary that a form's content type names. Raises `InvalidRequest` where it names none, or two."""
    named: list[str] = [quoted or bare for quoted, bare in _BOUNDARY.findall(content_type)]
    if len(named) != 1 or not _BOUNDARY_CHARACTERS.fullmatch(named[0]):
        raise InvalidRequest("the content type of a form must name its boundary")
    return named[0]


def find_model(body: bytes, boundary: str) -> ModelField:
    """The field `model` of a form. Raises `InvalidRequest` where there is none, or more than one."""
    parts = list(_parts(body, boundary.encode()))
    found = [_model(body, start, end) for name, start, end in parts if name == b"model"]
    if not found:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    if len(found) > 1:
        raise InvalidRequest("the form has more than one model", code="invalid_value", param="model")
    return found[0]


def with_model(body: bytes, field: ModelField, model: str) -> bytes:
    """The form with another model in that place. Raises `InvalidRequest` for one that would end its part."""
    if "\r" in model or "\n" in model:
        raise InvalidRequest("the name of a model is one line", code="invalid_value", param="model")
    return b"".join((body[: field.start], model.encode(), body[field.end :]))


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name of each part, and where its value begins and ends. Raises `InvalidRequest`."""
    delimiter = b"--" + boundary
    place = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    for seen in range(1, MAX_PARTS + 2):
        line = _LINE_END.match(body, place + len(delimiter))
        if line is None or place == 1:
            raise InvalidRequest("the form's parts cannot be told apart")
        if line[1]:
            if body.count(delimiter) != seen:
                raise InvalidRequest("the form's boundary stands inside of a part")
            return
        value = body.find(b"\r\n\r\n", line.end() - 2, line.end() + MAX_PART_HEAD_BYTES)
        end = body.find(b"\r\n" + delimiter, value + 2)
        if value < 0 or end < 0:
            raise InvalidRequest("the form is cut off, or one of its parts has no head")
        yield _name(body[line.end() : value + 2]), value + 4, max(end, value + 4)
        place = end + 2
    raise InvalidRequest(f"the form has more than {MAX_PARTS} parts")


def _name(head: bytes) -> bytes:
    """The name in a part's head. Raises `InvalidRequest` where two readers could take different ones."""
    dispositions: list[bytes] = _DISPOSITION.findall(head)
    names: list[tuple[bytes, bytes]] = [
        (key.lower(), value.strip(b'"'))
        for parameters in dispositions
        for key, value in _PARAMETER.findall(parameters)
        if key.lower() in (b"name", b"name*")
    ]
    if len(dispositions) != 1 or len(names) != 1 or names[0][0] != b"name":
        raise InvalidRequest("a part of the form must have one name")
    return names[0][1].replace(b"\\", b"")


def _model(body: bytes, start: int, end: int) -> ModelField:
    try:
        name = body[start : min(end, start + MAX_MODEL_BYTES)].decode()
    except UnicodeDecodeError:
        name = ""
    if not name.strip() or end - start > MAX_MODEL_BYTES:
        raise InvalidRequest("the form's model is not a name", code="invalid_value", param="model")
    return ModelField(name.strip(), start, end)
