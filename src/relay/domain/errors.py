"""Every way a call can fail, as one tree of exceptions.

    RelayError
    ├── ClientError              the caller's request cannot be served as it is
    │   ├── InvalidRequest         400  the body, a header or a value is wrong
    │   ├── Unsupported            400  the model or dialect cannot carry what was asked
    │   │   └── LacksCapability    400  the model is known not to have what the call needs
    │   ├── TooLarge               413  the body is over the limit
    │   ├── UnknownRoute           404  no such path
    │   └── WrongMethod            405  the path exists, the method does not
    ├── AccessError              the caller may not
    │   ├── Unauthenticated        401  no credential, or an unknown one
    │   └── Forbidden              403  the credential does not reach this far
    ├── ResolutionError          the name leads nowhere
    │   ├── UnknownModel           404  nothing answers to this name
    │   └── NoCandidate            503  targets exist, none may be used now
    ├── UpstreamError            the provider failed
    │   ├── Unreachable            502  nothing was sent: refused, DNS, TLS, connect time-out
    │   ├── Refused                     the provider answered with an error status
    │   │   ├── BadCredential      502  it rejected the relay's key
    │   │   ├── Rejected           4xx  it rejected the request itself
    │   │   ├── Limited            429  rate or quota
    │   │   └── Overloaded         503  5xx, 529
    │   ├── TimedOut               504  no first byte, silence, or the whole deadline
    │   ├── Malformed              502  its bytes are not its own protocol
    │   └── Interrupted            502  the stream ended or broke before its finish
    └── RelayFault               the relay failed
        ├── Draining               503  it is shutting down
        ├── AccountingUnavailable  503  the ledger cannot be written
        └── Internal               500  a bug of ours

`status` is a hint: only the inbound side knows HTTP and only a dialect knows the shape of an error's body.
`retry` says where a further attempt may help: nowhere, on the same target, or only on another one.
"""

from typing import ClassVar, Literal

from relay.domain.capabilities import Capability

MAX_MESSAGE_CHARACTERS = 1500
MAX_SHOWN_CHARACTERS = 512

type Retry = Literal["never", "same", "other"]


class RelayError(Exception):
    """A failure with the words a caller may read.

    `message` never holds a secret, a prompt or an answer, and is cut where a caller's own words make it long.
    `code` is the machine-readable reason used in OpenAI's error shape, `param` the request field at fault.
    """

    status: int = 500
    code: str | None = None
    kind: ClassVar[str] = "server_error"
    retry: ClassVar[Retry] = "never"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        if len(message) > MAX_MESSAGE_CHARACTERS:
            message = f"{message[:MAX_MESSAGE_CHARACTERS]}…"
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class ClientError(RelayError):
    """The caller's request cannot be served as it is."""

    status = 400
    kind = "invalid_request_error"


class InvalidRequest(ClientError):
    """The body, a header or a value is wrong."""


class Unsupported(ClientError):
    """The model or the dialect cannot carry what was asked."""

    code = "unsupported_value"


class LacksCapability(Unsupported):
    """The model is known not to have what the call needs; `model` is its name as the caller or provider has it."""

    def __init__(self, model: str, capability: Capability) -> None:
        word = "chat" if capability == "completion" else capability
        super().__init__(f'"{model}" does not support {word}', param="model")
        self.model = model
        self.capability = capability


class TooLarge(ClientError):
    """The body is over the limit."""

    status = 413


class UnknownRoute(ClientError):
    """No such path."""

    status = 404


class WrongMethod(ClientError):
    """The path exists, the method does not; `allowed` lists those that do."""

    status = 405

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class AccessError(RelayError):
    """The caller may not."""

    status = 401


class Unauthenticated(AccessError):
    """No credential, or an unknown one."""

    kind = "authentication_error"
    code = "invalid_api_key"


class Forbidden(AccessError):
    """The credential does not reach this far."""

    status = 403
    kind = "permission_error"


class ResolutionError(RelayError):
    """The name leads nowhere."""

    status = 404


class UnknownModel(ResolutionError):
    """Nothing answers to this name; `name` is as the caller wrote it, but not for ever, `closest` near names."""

    kind = "invalid_request_error"
    code = "model_not_found"

    def __init__(self, name: str, closest: tuple[str, ...] = ()) -> None:
        hint = f" Did you mean {', '.join(repr(near) for near in closest)}?" if closest else ""
        if len(name) > MAX_SHOWN_CHARACTERS:
            name = f"{name[:MAX_SHOWN_CHARACTERS]}…"
        super().__init__(f"model {name!r} not found.{hint}", param="model")
        self.name = name
        self.closest = closest


class NoCandidate(ResolutionError):
    """Targets exist, none may be used now; `reasons` says why for each."""

    status = 503
    code = "no_candidate"

    def __init__(self, name: str, reasons: tuple[str, ...]) -> None:
        super().__init__(f"no usable target for model {name!r}: {'; '.join(reasons) or 'none configured'}")
        self.reasons = reasons


class UpstreamError(RelayError):
    """The provider failed. `provider_status` is the HTTP status it answered with, 0 when it never did."""

    status = 502
    kind = "upstream_error"
    code = "upstream_error"
    retry: ClassVar[Retry] = "other"

    provider_status: int = 0


class Unreachable(UpstreamError):
    """Nothing was sent: refused, DNS, TLS or connect time-out."""

    code = "upstream_unreachable"


class Refused(UpstreamError):
    """The provider answered with an error status."""


class BadCredential(Refused):
    """The provider rejected the relay's own key; its words are not shown to the caller."""

    code = "upstream_authentication"


class Rejected(Refused):
    """The provider rejected the request itself; `status` is the provider's 4xx."""

    status = 400
    kind = "invalid_request_error"
    code = "upstream_rejected"
    retry: ClassVar[Retry] = "never"


class Limited(Refused):
    """Rate or quota at the provider."""

    status = 429
    kind = "rate_limit_error"
    code = "rate_limit_exceeded"


class Overloaded(Refused):
    """A 5xx or 529 of the provider."""

    status = 503
    code = "upstream_overloaded"
    retry: ClassVar[Retry] = "same"


class TimedOut(UpstreamError):
    """No first byte, silence between bytes, or the whole deadline; `phase` says which."""

    status = 504
    kind = "timeout_error"
    code = "upstream_timeout"

    def __init__(self, message: str, *, phase: Literal["connect", "first_byte", "idle", "total"]) -> None:
        super().__init__(message)
        self.phase = phase


class Malformed(UpstreamError):
    """The provider's bytes are not its own protocol; `offset` counts from the start of the body."""

    code = "bad_upstream_response"

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class Interrupted(UpstreamError):
    """The stream ended or broke before its finish marker."""

    code = "upstream_stream_interrupted"


class RelayFault(RelayError):
    """The relay failed."""

    kind = "server_error"


class Draining(RelayFault):
    """The relay is shutting down."""

    status = 503
    code = "draining"


class AccountingUnavailable(RelayFault):
    """The ledger cannot be written, so nothing billable may start."""

    status = 503
    code = "accounting_unavailable"


class Internal(RelayFault):
    """A bug of ours."""

    code = "internal_error"
