"""Where a reviewer sits: a run with its cases, the golden sets they belong to, and what was said about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evals.errors import GoldenSetError
from evals.golden.cases import Case
from evals.golden.sets import GoldenSet, load_golden_set
from evals.review.audit import Entry, act, read_entries
from evals.review.edits import record, recover
from evals.review.evidence import check_evidence, text_by_uri
from evals.review.form import FormValues, with_values
from evals.review.misses import rank
from evals.review.runs import metrics_of
from evals.review.types import Cause, Row
from evals.running.evidence import SnapshotTexts
from evals.running.records import Run

MAX_NOTE_CHARS = 4_000
MIN_REASON_CHARS = 10

TextsOf = Callable[[GoldenSet, str | None], SnapshotTexts | None]
"""The documents of a golden set in a snapshot, or as they are now; None where this home does not hold them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where things lie: golden sets under `root`, drafts under `home`."""

    root: Path
    home: Path


@dataclass(frozen=True, slots=True)
class Desk:
    """One reviewer, one run. Cases that are not dev cases of a golden set today are not among the rows."""

    run: Run
    baseline: Run | None
    rows: Sequence[Row]
    place: Place
    reviewer: str
    texts_of: TextsOf
    _opened: dict[str, SnapshotTexts | None] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The name of the run's folder."""
        return self.run.folder.name

    @property
    def root(self) -> Path:
        """The folder of the golden sets."""
        return self.place.root

    @property
    def home(self) -> Path:
        """Where drafts lie."""
        return self.place.home

    @property
    def set_names(self) -> list[str]:
        """The golden sets of the run."""
        return sorted(self.run.info.golden_sets)

    def row(self, case_id: str) -> Row | None:
        """A case of the run."""
        return next((row for row in self.rows if row.case.id == case_id), None)

    def now(self, row: Row) -> Case | None:
        """The case as its golden set has it now; None where it is no dev case there."""
        if not row.set_name:
            return None
        golden = load_golden_set(self.root, row.set_name)
        return next((case for case in golden.cases if case.id == row.case.id), None)

    def texts(self, row: Row) -> SnapshotTexts | None:
        """The documents that the run read."""
        if row.set_name not in self._opened:
            golden = load_golden_set(self.root, row.set_name) if row.set_name else None
            snapshot = self.run.info.snapshots.get(golden.corpus) if golden else None
            self._opened[row.set_name] = self.texts_of(golden, snapshot) if golden and snapshot else None
        return self._opened[row.set_name]

    def entries(self) -> list[Entry]:
        """Everything on record about the golden sets of the run, oldest first."""
        every = [entry for name in self.set_names for entry in read_entries(self.root / name)]
        return sorted(every, key=lambda entry: entry.when)

    def own_labels(self) -> dict[str, Entry]:
        """This reviewer's latest label of each case of this run."""
        return {
            entry.case_id: entry
            for entry in self.entries()
            if entry.cause and entry.who == self.reviewer and entry.run == self.run_id
        }

    def visible(self) -> list[tuple[Entry, bool]]:
        """All entries, and whether this reviewer may read cause and note.

        What others said of a case in a run is hidden until the reviewer has given a label of their own.
        """
        entries = self.entries()
        labelled = {(entry.run, entry.case_id) for entry in entries if entry.cause and entry.who == self.reviewer}
        return [
            (entry, entry.who == self.reviewer or entry.run is None or (entry.run, entry.case_id) in labelled)
            for entry in entries
        ]

    def label(self, row: Row, cause: Cause, note: str) -> None:
        """Say what caused what was seen.

        Raises:
            GoldenSetError: The case is in no golden set any more, or the note is too long.
        """
        case = self._present(row)
        entry = act(self.reviewer, "label", case, case, run=self.run_id, cause=cause, note=_note(note))
        record(self._folder(row), entry)

    def fix(self, row: Row, values: FormValues, seen: str, note: str) -> bool:
        """Put a case right; False where nothing would change.

        Args:
            row: The case.
            values: Of the form.
            seen: The hash of the case when the form was made.
            note: Why.

        Raises:
            GoldenSetError: It would be no case, its evidence does not stand in the documents, or it has changed since.
        """
        case = self._seen(row, seen)
        fixed = with_values(case.model_dump(mode="json"), values)
        if fixed == case:
            return False
        texts = self.texts_of(load_golden_set(self.root, row.set_name), None)
        if texts is not None:
            check_evidence(fixed, lambda uri: text_by_uri(texts, uri))
        record(self._folder(row), act(self.reviewer, "fix", case, fixed, run=self.run_id, note=_note(note)))
        return True

    def retire(self, row: Row, reason: str, seen: str) -> None:
        """Take a case out of use; it stays in the file with the reason.

        Raises:
            GoldenSetError: The reason says nothing, or the case has changed since.
        """
        case = self._seen(row, seen)
        if len(reason.strip()) < MIN_REASON_CHARS:
            raise GoldenSetError(f"Say in {MIN_REASON_CHARS} characters or more why the case is retired.")
        retired = case.model_copy(update={"retired": _note(reason)})
        record(self._folder(row), act(self.reviewer, "retire", case, retired, run=self.run_id, note=_note(reason)))

    def _seen(self, row: Row, seen: str) -> Case:
        case = self._present(row)
        if case.sha256 != seen:
            raise GoldenSetError("Someone else has changed this case since you opened it. Below it is as it is now.")
        return case

    def _present(self, row: Row) -> Case:
        case = self.now(row)
        if case is None:
            raise GoldenSetError("This case is in no golden set any more.")
        return case

    def _folder(self, row: Row) -> Path:
        return self.root / row.set_name


def open_desk(run: Run, baseline: Run | None, place: Place, reviewer: str, texts_of: TextsOf) -> Desk:
    """Sit down to review a run; what a crash left unfinished in its golden sets is finished first.

    Args:
        run: To review; of the dev split.
        baseline: To compare with.
        place: Of golden sets and drafts.
        reviewer: Who reviews.
        texts_of: Reads documents.

    Raises:
        GoldenSetError: A golden set of the run is missing or wrong.
        LedgerDamaged: An audit trail was tampered with.
    """
    where: dict[str, str] = {}
    locked: set[str] = set()
    for name in run.info.golden_sets:
        recover(place.root / name)
        read_entries(place.root / name)
        dev = {case.id for case in load_golden_set(place.root, name).cases}
        where |= dict.fromkeys(dev, name)
        locked |= {case.id for case in load_golden_set(place.root, name, None).cases} - dev
    rows = rank(run, baseline, metrics_of(run.info), where)
    # A case that was dev when it was run and is test by now is not for reading any more.
    return Desk(run, baseline, [row for row in rows if row.case.id not in locked], place, reviewer, texts_of)


def _note(note: str) -> str:
    note = note.strip()
    if len(note) > MAX_NOTE_CHARS:
        raise GoldenSetError(f"The note is longer than {MAX_NOTE_CHARS:,} characters.")
    return note
