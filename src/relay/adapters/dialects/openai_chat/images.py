"""Images, files and data URIs: RFC 2397, and what the first bytes of a picture say about its type."""

from base64 import b64encode
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from relay.domain.chat import File, Image

_SIGNATURES = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
)
"""How base64 of each format begins."""

_FALLBACK = "image/png"
"""A data URI needs a type; providers look at the bytes themselves."""


def image_at(url: str, detail: str | None) -> Image:
    """An image from what a client put where a URL belongs: a URL, a data URI, or bare base64."""
    if url[:5].lower() == "data:":
        return _inline(url[5:], detail)
    if "://" in url[:32]:
        return Image(url=url, detail=detail)
    return Image(data=_padded(url), media_type=_sniffed(url), detail=detail)


def typed(image: Image) -> Image:
    """The image with a media type, if it is inline."""
    if not image.data or image.media_type:
        return image
    return Image(data=image.data, media_type=_sniffed(image.data) or _FALLBACK, detail=image.detail)


def url_of(image: Image) -> str:
    """Where a provider finds the image: its URL, or a data URI."""
    return f"data:{typed(image).media_type};base64,{image.data}" if image.data else image.url


def split(file: File) -> File:
    """The file with what its data URI says, if it has one, taken apart. RFC 2397: no type is plain text."""
    if file.data[:5].lower() != "data:":
        return file
    media_type, data = _taken_apart(file.data[5:])
    return replace(file, data=data, media_type=media_type or "text/plain")


def data_of(file: File) -> str:
    """An inline file as a data URI, if its type is known."""
    return f"data:{file.media_type};base64,{file.data}" if file.data and file.media_type else file.data


def _inline(rest: str, detail: str | None) -> Image:
    media_type, data = _taken_apart(rest)
    return Image(data=data, media_type=media_type or _sniffed(data), detail=detail)


def _taken_apart(rest: str) -> tuple[str, str]:
    """The media type and the base64 of a data URI, from behind its scheme."""
    head, _, data = rest.partition(",")
    media_type, *parameters = head.split(";")
    if "base64" in [parameter.strip().lower() for parameter in parameters]:
        data = _padded(data)
    else:
        data = b64encode(unquote_to_bytes(data)).decode()
    return media_type.strip().lower(), data


def _padded(data: str) -> str:
    """Base64 without white space and with its padding: some clients break lines or leave `=` out."""
    compact = "".join(data.split()) if any(space in data for space in " \r\n\t") else data
    return compact + "=" * (-len(compact) % 4)


def _sniffed(data: str) -> str | None:
    return next((media_type for start, media_type in _SIGNATURES if data.startswith(start)), None)
