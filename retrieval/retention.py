"""Old snapshots that nobody goes back to, and the versions that only they held."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from retrieval.erasure import Eraser
from retrieval.ids import digest


@dataclass(frozen=True, slots=True)
class SnapshotRetention:
    """Drops snapshots beyond the newest few. What serves stays, and what `rollback` would go back to."""

    eraser: Eraser

    def surplus(self, keep: int) -> dict[str, list[str]]:
        """The snapshots to drop, by corpus."""
        store, found = self.eraser.store, {}
        for corpus in self.eraser.erasures.corpora():
            known = store.newest(corpus, 10_000)
            active = self.eraser.publisher.active(corpus)
            served = [activation.snapshot for activation in store.activations(corpus)]
            back = next((name for name in reversed(served) if name in known and name not in active), None)
            if gone := [name for name in known[keep:] if name not in active and name != back]:
                found[corpus] = gone
        return found

    def drop(self, gone: dict[str, list[str]]) -> Counter[str]:
        """Drop snapshots, then the versions of their corpora that no snapshot holds. May be repeated.

        Raises:
            IngestRunning: An ingest holds a corpus; nothing was dropped.
        """
        done: Counter[str] = Counter()
        with self.eraser.locked():
            for corpus, names in gone.items():
                indexes = self.eraser.publisher.indexes
                known = [name for name in self.eraser.store.newest(corpus, 10_000) if indexes.holds(corpus, name)]
                indexes.keep_only(corpus, [name for name in known if name not in names])
                done["snapshots"] += self.eraser.erasures.drop_snapshots(corpus, names)
            orphans = self._orphans(gone)
            erased = self.eraser.erasures.erase(orphans, self.eraser.own_hashes(orphans) if orphans else (), "")
            done += Counter({name: erased[name] for name in ("versions", "chunks", "vectors")})
        return done

    def _orphans(self, corpora: Collection[str]) -> set[tuple[str, str]]:
        """Versions that no snapshot holds: what an ingest was killed over, and what was dropped with its snapshots."""
        placed = self.eraser.erasures.placed()
        return {
            held.key
            for held in self.eraser.erasures.versions()
            if held.key not in placed and any(digest(f"{corpus}\0{held.uri}") == held.doc_id for corpus in corpora)
        }
