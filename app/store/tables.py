"""The tables of the app room."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from retrieval.store.tables import UtcDateTime

metadata = MetaData()

turns = Table(
    "turns",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created", UtcDateTime, nullable=False, index=True),
    Column("corpus", String(80), nullable=False),
    Column("snapshot", String(16), nullable=False),
    Column("provider", String(80), nullable=False),
    Column("abstained", Boolean, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("citations", Text, nullable=False, comment="JSON: [[doc_id, start, end], …]"),
    Column("timings_ms", Text, nullable=False),
    Column("question", Text, comment="Only where chat.record_text is set."),
    Column("answer", Text, comment="Only where chat.record_text is set."),
    Column("tenant", String(80), nullable=False, server_default=""),
    Column("release", String(16), nullable=False, server_default=""),  # An id of `releases`.
    Column("question_hmac", String(64), nullable=False, server_default=""),
    Column("history_hmac", String(64), nullable=False, server_default=""),  # Empty: there was no history.
    Column("answer_sha256", String(64), nullable=False, server_default=""),
    Column("scope", Text, nullable=False, server_default="{}"),  # JSON: {groups, where}
    Column(
        "passages",
        Text,
        nullable=False,
        server_default="[]",  # JSON: [[doc_id, version, start, end, score], …]
    ),
    Column("verdicts", Text, nullable=False, server_default="[]"),  # JSON: what guards said, without words
    Column("usage", Text, nullable=False, server_default="{}"),  # JSON: tokens
    Column("history", Text),  # JSON: [[role, content]]; only where chat.record_text is set.
)

releases = Table(
    "releases",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("first_used", UtcDateTime, nullable=False),
    Column("manifest", Text, nullable=False),  # JSON: app.releases.Release
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("turn_id", String(32), ForeignKey("turns.id"), nullable=False, index=True),
    Column("created", UtcDateTime, nullable=False),
    Column("rating", String(8), nullable=False),
    Column("note", Text, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created", UtcDateTime, nullable=False),
    Column("tenant", String(80), nullable=False, server_default=""),
    Column("groups", Text, nullable=False, server_default="[]"),
    Column("usd_per_day", Float),  # NULL: the setting `spending.usd_per_key_day`.
)

spending = Table(
    "spending",
    metadata,
    Column("payer", String(80), primary_key=True),  # A key's name, "" without keys, "*" for everyone together.
    Column("day", String(10), primary_key=True),  # UTC, YYYY-MM-DD
    Column("spent", BigInteger, nullable=False),  # Billionths of a USD, as is `reserved`.
    Column("reserved", BigInteger, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(80), nullable=False),
    Column("owner", String(64), nullable=False, index=True),  # A hash of the key that began it.
    Column("created", UtcDateTime, nullable=False),
    Column("used", UtcDateTime, nullable=False, index=True),
)

conversation_messages = Table(
    "conversation_messages",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("conversation", String(32), ForeignKey("conversations.id"), nullable=False, index=True),
    Column("created", UtcDateTime, nullable=False),
    Column("sealed", Text, nullable=False),  # Encrypted JSON: {role, content, cited}
)

cached_answers = Table(
    "cached_answers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created", UtcDateTime, nullable=False, index=True),
    Column("scope", String(64), nullable=False),  # Hash of who asks what in which release and snapshot.
    Column("asked", String(64), nullable=False),  # Keyed hash of question and history.
    Column("question", Text, nullable=False),  # Empty where only the same question may hit.
    Column("vector", LargeBinary),  # float32, of the question; where others may hit.
    Column("answer", Text, nullable=False),  # JSON: app.caching.entries.Entry
    Column("bytes", Integer, nullable=False),
    UniqueConstraint("scope", "asked"),
)
