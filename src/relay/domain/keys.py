"""The relay's own API keys: their text form, what is stored of them, and whether one fits.

`lr_` + 12 public characters + `_` + 43 characters of a 256-bit secret + 6 of a checksum. A key is read by
position, never by splitting: the secret's alphabet holds `_` and `-`. Only the SHA-256 of the whole key is
stored: a 256-bit random secret needs no slow hash. The checksum refuses garbage without a lookup.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from relay.domain.tags import Tag

PREFIX = "lr_"
PUBLIC_CHARACTERS = 12
SECRET_CHARACTERS = 43
CHECKSUM_CHARACTERS = 6
KEY_CHARACTERS = len(PREFIX) + PUBLIC_CHARACTERS + 1 + SECRET_CHARACTERS + CHECKSUM_CHARACTERS
PUBLIC_BYTES = 8
SECRET_BYTES = 32

_SHAPE = re.compile(r"lr_[a-z2-7]{12}_[A-Za-z0-9_-]{49}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is known of a key; the key itself is not. Times are unix milliseconds, 0 meaning never.

    `is_admin` is the scope that may change a provider for everybody who uses it.
    """

    public_id: str
    name: str
    digest: bytes
    tags: tuple[Tag, ...] = ()
    models: tuple[str, ...] = ()
    created_ms: int = 0
    expires_ms: int = 0
    revoked_ms: int = 0
    is_admin: bool = False

    def is_live(self, now_ms: int) -> bool:
        """Neither revoked nor expired."""
        return not self.revoked_ms and (not self.expires_ms or now_ms < self.expires_ms)


def mint(public: bytes, secret: bytes) -> str:
    """A key from `PUBLIC_BYTES` and `SECRET_BYTES` random bytes."""
    public_id = base64.b32encode(public).decode().lower()[:PUBLIC_CHARACTERS]
    secret_text = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    body = f"{PREFIX}{public_id}_{secret_text}"
    return body + _checksum(body)


def public_id(key: str) -> str | None:
    """The public id of a well-formed key; `None` for anything else."""
    if len(key) != KEY_CHARACTERS or _SHAPE.fullmatch(key) is None:
        return None
    body, checksum = key[:-CHECKSUM_CHARACTERS], key[-CHECKSUM_CHARACTERS:]
    if not hmac.compare_digest(_checksum(body), checksum):
        return None
    return key[len(PREFIX) : len(PREFIX) + PUBLIC_CHARACTERS]


def digest(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def fits(key: str, record: KeyRecord) -> bool:
    """True when `key` is the one the record was made from."""
    return hmac.compare_digest(digest(key), record.digest)


def _checksum(body: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body.encode()).digest()).decode()[:CHECKSUM_CHARACTERS]
