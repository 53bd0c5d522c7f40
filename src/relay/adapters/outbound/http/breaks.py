"""The ways a connection to a provider fails, in the same words whichever client made it.

No word of them tells an address, a header or a body.
"""

import socket
import ssl
from collections.abc import Iterator

from relay.domain.errors import Interrupted, Malformed, TimedOut, Unreachable


def unreachable(why: str) -> Unreachable:
    """Nothing was sent."""
    return Unreachable(f"the provider cannot be reached: {why}")


def unfit_for_http() -> Unreachable:
    """A request with a header, an id or an address that cannot be written as HTTP."""
    return Unreachable("the provider cannot be called: its address or a header is not fit for HTTP")


def connecting_took_too_long() -> Unreachable:
    """Beyond `connect_s`."""
    return unreachable("connecting took too long")


def no_answer() -> TimedOut:
    """Beyond `first_byte_s`."""
    return TimedOut("the provider did not begin to answer in time", phase="first_byte")


def stalled() -> TimedOut:
    """Beyond `idle_s`."""
    return TimedOut("the provider stopped sending in the middle of its answer", phase="idle")


def broken_before_answer() -> Interrupted:
    """The connection ended before there was a head."""
    return Interrupted("the connection to the provider broke before an answer")


def broken_in_answer() -> Interrupted:
    """The connection ended before the body did."""
    return Interrupted("the connection to the provider broke in the middle of its answer")


def not_http() -> Malformed:
    """The head is garbage."""
    return Malformed("the provider's answer is not HTTP")


def body_not_http() -> Malformed:
    """The body's framing is garbage."""
    return Malformed("the body of the provider's answer is not HTTP")


def head_too_large(limit_bytes: int) -> Malformed:
    """A head, or what stands around a body, beyond its limit."""
    return Malformed(f"the head of the provider's answer exceeds {limit_bytes} bytes")


def too_many_fields(limit: int) -> Malformed:
    """A head of more fields than anybody needs."""
    return Malformed(f"the head of the provider's answer has more than {limit} fields")


def wrong_status(status: int) -> Malformed:
    """A status that ends nothing, such as a change of protocol that nobody asked for."""
    return Malformed(f"the provider answered with status {status}")


def compressed() -> Malformed:
    """A body that is encoded although `identity` was asked for."""
    return Malformed("the provider's answer is compressed, which was not asked for")


def ambiguous_length() -> Malformed:
    """Framing that two readers may understand in two ways (RFC 9112, 6.3)."""
    return Malformed("the provider's answer does not say clearly where it ends")


def why_not_connected(error: BaseException) -> str:
    """What kept a connection from coming about, as far as it may be told."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return "its certificate is not trusted"
            case ssl.SSLError():
                return "TLS failed"
            case socket.gaierror() | UnicodeError():
                return "its name cannot be resolved"
            case ConnectionRefusedError():
                return "the connection was refused"
            case _:
                pass
    return "connecting failed"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and the members of groups."""
    pending = [error]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, BaseExceptionGroup):
            pending.extend(current.exceptions)
        if (cause := current.__cause__ or current.__context__) is not None:
            pending.append(cause)
