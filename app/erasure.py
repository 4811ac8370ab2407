"""Erases a document, or all that holds a value, from a whole home, and signs what was done.

The order, each step of which may be killed and repeated: the sealed intent, tombstones, a snapshot without it that
serves, indexes, rows, turns, files, what lies elsewhere, the database file, the scan, the receipt, the end of the
intent.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from app import __version__
from app.errors import RequestError
from app.intents import Intent, Intents
from app.receipts import Receipts
from app.scanning import Scan, Trace
from app.store.erasure import COMPACT_TRIES, DatabaseFile, TurnErasure
from app.store.kept import Kept
from app.sweeping import Sweep
from retrieval.erasure import Eraser, Holdings, Named
from retrieval.folding import fold
from retrieval.store.rows import user
from retrieval.store.tombstones import DOCUMENT, Tombstone, Tombstones
from retrieval.traces import Traces

MIN_SUBJECT_CHARS = 5
"""Shorter values stand by chance in any file, so no scan could say that they are gone."""
Progress = Callable[[str, int, int], None]


class Elsewhere(Protocol):
    """A place outside of the home that holds what evaluations or trainings were made of."""

    @property
    def name(self) -> str:
        """What it is called in the receipt."""
        ...

    def sweep(self, gone: Holdings, tells: Callable[[str], bool], *, dry: bool) -> tuple[Counter[str], list[str]]:
        """Take out what tells of it; `dry` only counts. Returns items by kind, and the files that were rewritten."""
        ...

    def left(self, tells: Callable[[str], bool]) -> list[str]:
        """The files there that still tell of it: sources, which only their owner may change."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go: counts by store, uris of documents, files; `copies` are uris of the same bytes that stay."""

    counts: Mapping[str, int]
    uris: tuple[str, ...]
    files: tuple[str, ...]
    copies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: the receipt, where it lies, and what the scan found, by names that the receipt may not repeat."""

    receipt: Mapping[str, Any]
    path: Path
    left: tuple[Trace, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.left


@dataclass(frozen=True, slots=True)
class Forget:
    """Erasure over a whole home."""

    home: Path
    eraser: Eraser
    tombstones: Tombstones
    turns: TurnErasure
    kept: Kept
    database: DatabaseFile
    intents: Intents
    receipts: Receipts
    compact_tries: int = COMPACT_TRIES

    def plan(self, named: Named, elsewhere: Sequence[Elsewhere] = ()) -> Plan:
        """What would go. Writes nothing.

        Raises:
            DocumentNotFound: No such document is held.
            RequestError: The value is too short to be looked for.
        """
        _check(named)
        holdings, traces = self.eraser.find(named)
        counts, files = self._found(holdings, traces, elsewhere)
        uris = {held.uri for held in holdings.versions} | {uri for _, uri in holdings.quarantined}
        return Plan(counts, tuple(sorted(uris)), tuple(files), holdings.copies)

    def run(self, named: Named, progress: Progress, elsewhere: Sequence[Elsewhere] = ()) -> Outcome:
        """Erase, scan and sign.

        Raises:
            DocumentNotFound: No such document is held.
            IngestRunning: An ingest holds a corpus; nothing was erased.
            RequestError: The value is too short to be looked for.
        """
        _check(named)
        with self.eraser.locked():
            progress("find", 0, 1)
            holdings, traces = self.eraser.find(named)
            found, _ = self._found(holdings, traces, elsewhere)
            now = datetime.now(UTC)
            intent = Intent(
                id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
                named=named,
                who=user(),
                begun=now.isoformat(timespec="seconds"),
                holdings=holdings,
                words=tuple(traces.words),
                found=dict(found),
                elsewhere=tuple(place.name for place in elsewhere),
            )
            progress("find", 1, 1)
            self.intents.begin(intent)
            return self._carry_out(intent, traces, progress, elsewhere)

    def resume(self, progress: Progress, elsewhere: Sequence[Elsewhere] = (), *, all_of_them: bool) -> list[Outcome]:
        """Finish what was begun.

        Args:
            progress: Called as work goes on.
            elsewhere: Places outside of the home.
            all_of_them: Also those that have a receipt already, whose scan was not clean.

        Raises:
            IngestRunning: An ingest holds a corpus; try again.
            ConfigError: An intent cannot be read.
        """
        todo = [name for name in self.intents.begun() if all_of_them or not self.receipts.there(name)]
        if not todo:
            return []
        with self.eraser.locked():
            done = []
            for intent in map(self.intents.read, todo):
                traces, _ = self.eraser.traces(intent.holdings.versions, intent.words, keep=intent.named.subject)
                done.append(self._carry_out(intent, traces, progress, elsewhere))
            return done

    def lift(self, receipt: str) -> int:
        """Allow again what a receipt keeps out, on record. Returns how many tombstones went.

        Raises:
            RequestError: The receipt keeps nothing out.
        """
        count = self.tombstones.lift(receipt)
        if not count:
            raise RequestError(f"The receipt '{receipt}' keeps nothing out. See {self.home / 'receipts'}/.")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.receipts.write(f"{receipt}.lifted", {"lifts": receipt, "tombstones": count, "when": now, "who": user()})
        return count

    def _carry_out(self, intent: Intent, traces: Traces, progress: Progress, elsewhere: Sequence[Elsewhere]) -> Outcome:
        gone = intent.holdings
        self.tombstones.add(list(self._stones(intent)))
        progress("erase", 0, 4)
        done = self.eraser.erase(gone, traces, intent.id)
        progress("erase", 1, 4)
        done += self.turns.erase(*self.turns.find(gone.places, traces.in_text))
        done += self.kept.erase(gone.places, traces.in_text)
        progress("erase", 2, 4)
        swept, files = self._sweep(gone, traces, elsewhere, dry=False)
        done += swept
        progress("erase", 3, 4)
        why = self.database.compact(self.compact_tries)
        progress("erase", 4, 4)
        left = [Trace("assay.db-wal", f"not emptied: {why}")] if why else []
        missing = set(intent.elsewhere) - {place.name for place in elsewhere}
        left += [Trace(name, "not looked through: use `evals forget --resume`") for name in sorted(missing)]
        tells = Sweep(self.home, gone.doc_ids, traces).tells
        left += [Trace(name, "a source: its owner must change it") for e in elsewhere for name in e.left(tells)]
        scan = Scan(traces, gone.vectors)
        left += [*scan.cells(self.database.cells()), *scan.home(self.home, progress)]
        return self._receipt(intent, traces, Counter(done), files, left)

    def _receipt(
        self, intent: Intent, traces: Traces, done: Counter[str], files: list[str], left: Sequence[Trace]
    ) -> Outcome:
        """Sign what was done. A repeated step finds nothing more, so what was found at the beginning counts too."""
        gone = intent.holdings
        subject = intent.named.subject
        asked = (
            {"kind": "subject", "keyed_hash": self.tombstones.of_subject(intent.id, "", subject).mark}
            if subject
            else {"kind": "document", "doc_ids": list(gone.doc_ids)}
        )
        places = Counter((corpus, snapshot) for corpus, snapshot, _ in gone.places)
        counted = {name: max(intent.found.get(name, 0), done[name]) for name in {*intent.found, *done}}
        body = {
            "receipt": intent.id,
            "assay": __version__,
            "begun": intent.begun,
            "done": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": intent.who,
            "asked": {**asked, "corpora": list(intent.named.corpora) or ["*"]},
            "erased": dict(sorted(counted.items())),
            "snapshots": [[corpus, snapshot, count] for (corpus, snapshot), count in sorted(places.items())],
            "files_rewritten": sorted(set(files)),
            "database": _DATABASE[self.database.is_file],
            "scan": {
                "clean": not left,
                "characters_looked_for": traces.characters + sum(map(len, traces.words)),
                "vectors_looked_for": len(gone.vectors),
                "traces": [asdict(trace) for trace in left],
            },
        }
        path, signed = self.receipts.write(intent.id, _masked(body, traces))
        if not left:
            self.intents.done(intent.id)
        return Outcome(signed, path, tuple(left))

    def _stones(self, intent: Intent) -> Iterator[Tombstone]:
        for corpus in intent.named.corpora or ("",):
            if intent.named.subject:
                yield self.tombstones.of_subject(intent.id, corpus, intent.named.subject)
                continue
            for doc_id in intent.holdings.doc_ids:
                yield Tombstone(intent.id, DOCUMENT, corpus, doc_id)
            for sha256 in sorted({held.sha256 for held in intent.holdings.versions}):
                yield self.tombstones.of_bytes(intent.id, corpus, sha256)

    def _found(
        self, holdings: Holdings, traces: Traces, elsewhere: Sequence[Elsewhere]
    ) -> tuple[Mapping[str, int], list[str]]:
        turns, feedback = self.turns.find(holdings.places, traces.in_text)
        swept, files = self._sweep(holdings, traces, elsewhere, dry=True)
        counts = {
            "documents": len(holdings.doc_ids),
            "versions": len(holdings.versions),
            "chunks": holdings.chunks,
            "vectors": len(holdings.vectors),
            "snapshots": len({(corpus, snapshot) for corpus, snapshot, _ in holdings.places}),
            "places in snapshots": len(holdings.places),
            "quarantine": len(holdings.quarantined),
            "turns": len(turns),
            "feedback": len(feedback),
            **self.kept.count(holdings.places, traces.in_text),
            **swept,
        }
        return counts, files

    def _sweep(
        self, gone: Holdings, traces: Traces, elsewhere: Sequence[Elsewhere], *, dry: bool
    ) -> tuple[Counter[str], list[str]]:
        sweep = Sweep(self.home, gone.doc_ids, traces)
        done, files = sweep.run(dry=dry)
        for place in elsewhere:
            more, rewritten = place.sweep(gone, sweep.tells, dry=dry)
            done += more
            files += rewritten
        return done, files


_DATABASE = {
    True: "SQLite: deleted bytes overwritten, file rewritten without free pages, write-ahead log emptied",
    False: "a server: rows deleted; its pages, logs and replicas are its operator's to vacuum",
}


def _check(named: Named) -> None:
    if not named.document and len(fold(named.subject)) < MIN_SUBJECT_CHARS:
        raise RequestError(
            f"A value of fewer than {MIN_SUBJECT_CHARS} characters stands by chance in any file: name more of it, such "
            "as the full name, an address, a number."
        )


def _masked(value: Any, traces: Traces) -> Any:
    """A receipt without what was erased, should a name or path of it say so."""
    if isinstance(value, dict):
        return {key: _masked(item, traces) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, traces) for item in value]
    return "[erased]" if isinstance(value, str) and traces.in_text(value) else value
