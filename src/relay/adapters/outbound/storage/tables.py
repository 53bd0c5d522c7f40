"""The tables, as mapped classes without behaviour.

Of an attempt's usage the whole vector is kept as JSON text, with only what the provider reported in it, so that
a new class needs no migration; the five counts that every report sums have columns besides. Money is integer
pico-dollars. Times are unix milliseconds. Constraints that a report relies on stand here; the rest is the
domain's. `migrations/` must lead to exactly this; a test compares them.
"""

from sqlalchemy import (
    UUID,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

EventId = String(36).with_variant(UUID(as_uuid=False), "postgresql")


class Table(DeclarativeBase):
    """What all tables share: names of constraints that migrations can refer to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UsageEventRow(Table):
    """One attempt. Its id is a UUIDv7, so that ids sort by time."""

    __tablename__ = "usage_event"

    id: Mapped[str] = mapped_column(EventId, primary_key=True)
    request_id: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(BigInteger)
    role: Mapped[str] = mapped_column(Text)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[str] = mapped_column(Text)
    key_name: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)
    client: Mapped[str] = mapped_column(Text)
    dialect: Mapped[str] = mapped_column(Text)
    name_asked: Mapped[str] = mapped_column(Text)
    resolved_by: Mapped[str] = mapped_column(Text)
    virtual: Mapped[str] = mapped_column(Text)
    trace: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    stream: Mapped[bool] = mapped_column(Boolean)
    input_tokens_estimate: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(BigInteger)
    error_code: Mapped[str] = mapped_column(Text)
    first_ms: Mapped[int | None] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    usage: Mapped[str] = mapped_column(Text)
    usage_source: Mapped[str] = mapped_column(Text)
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cache_read_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cache_write_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_reasoning_tokens: Mapped[int | None] = mapped_column(BigInteger)
    losses: Mapped[str] = mapped_column(Text)
    cost_pusd: Mapped[int | None] = mapped_column(BigInteger)
    cost_state: Mapped[str] = mapped_column(Text, server_default="unknown")

    __table_args__ = (
        Index(None, "at_ms"),
        Index(None, "key_id", "at_ms"),
        Index(None, "provider", "model", "at_ms"),
    )


class UsageEventTagRow(Table):
    """One tag of one attempt, for grouping and searching; `usage_event.tags` keeps their order."""

    __tablename__ = "usage_event_tag"

    event_id: Mapped[str] = mapped_column(
        EventId, ForeignKey("usage_event.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    source: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index(None, "key", "value", "event_id"),)


class ApiKeyTagRow(Table):
    """One tag bound to a key; `position` keeps their order."""

    __tablename__ = "api_key_tag"

    public_id: Mapped[str] = mapped_column(
        Text, ForeignKey("api_key.public_id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(Text)
    value: Mapped[str] = mapped_column(Text)


class ApiKeyRow(Table):
    """One of the relay's own keys. Revoked ones stay: the ledger speaks of them."""

    __tablename__ = "api_key"

    public_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    models: Mapped[str] = mapped_column(Text)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_ms: Mapped[int] = mapped_column(BigInteger)
    is_admin: Mapped[bool] = mapped_column(Boolean, server_default=false())
    tags: Mapped[list[ApiKeyTagRow]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by=ApiKeyTagRow.position
    )


class ConfigVersionRow(Table):
    """One row whose number rises with every change of what is configured."""

    __tablename__ = "config_version"

    id: Mapped[int] = mapped_column(Integer, CheckConstraint("id = 1", name="single"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
