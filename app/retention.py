"""What is kept only for a while, by policy. Nothing is removed unless a setting says so."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.settings import RetentionSettings, Settings
from app.store.erasure import DatabaseFile, TurnErasure
from app.store.kept import Kept
from retrieval.retention import SnapshotRetention


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long what is kept for clients lasts: a conversation after its last message, a cached answer."""

    conversations: timedelta
    cache: timedelta
    used: bool = True
    """Whether the settings let anything of it be kept at all."""

    def before(self) -> tuple[datetime, datetime]:
        """The times before which they go."""
        now = datetime.now(UTC)
        return now - self.conversations, now - self.cache


@dataclass(frozen=True, slots=True)
class Retention:
    """Applies the policy of the settings to a whole home."""

    settings: RetentionSettings
    snapshots: SnapshotRetention
    turns: TurnErasure
    kept: Kept
    lasting: Lasting
    database: DatabaseFile

    def due(self) -> Counter[str]:
        """What is over its time, by kind. Of a dropped snapshot the versions that go with it are not counted here."""
        found = self.turns.older(self._before(self.settings.turns_days), self._before(self.settings.feedback_days))
        found["quarantine"] = len(self._quarantined())
        found["snapshots"] = sum(map(len, self._snapshots().values()))
        found.update(self.kept.older(*self.lasting.before()))
        return found

    def apply(self) -> Counter[str]:
        """Remove it, and have the database forget the bytes. Returns what went, by kind.

        Raises:
            IngestRunning: Snapshots are to be dropped and an ingest is running; all else is done.
        """
        rules = self.settings
        done = self.turns.erase_older(self._before(rules.turns_days), self._before(rules.feedback_days))
        done += self.kept.erase_older(*self.lasting.before())
        done["quarantine"] += self.snapshots.eraser.erasures.drop_quarantined(self._quarantined())
        try:
            if gone := self._snapshots():
                done += self.snapshots.drop(gone)
        finally:
            if any(done.values()):
                self.database.compact(tries=3, rewrite=False)
        return done

    @property
    def off(self) -> bool:
        """Whether nothing is ever removed."""
        kept = self.lasting.used or self.kept.holds_any  # also of a time when the settings let it
        return not kept and all(value is None for value in self.settings.model_dump().values())

    def _snapshots(self) -> dict[str, list[str]]:
        keep = self.settings.snapshots
        return self.snapshots.surplus(keep) if keep is not None else {}

    def _quarantined(self) -> list[tuple[str, str]]:
        before = self._before(self.settings.quarantine_days)
        return self.snapshots.eraser.erasures.quarantined_before(before) if before is not None else []

    def _before(self, days: int | None) -> datetime | None:
        return None if days is None else datetime.now(UTC) - timedelta(days=days)


def lasting(settings: Settings) -> Lasting:
    """What the settings say."""
    used = settings.chat.keep_conversations or settings.cache.mode != "off"
    days, hours = timedelta(days=settings.chat.conversation_days), timedelta(hours=settings.cache.max_age_h)
    return Lasting(days, hours, used=used)
