"""`Forget`: nothing of a document or a subject is left, all else is as it was, and what was begun is finished."""

import json
import lzma
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import Services, build
from app.erasure import Forget, Outcome
from app.errors import RequestError
from app.http.upkeep import upkeep
from app.settings import Settings
from app.store.erasure import DatabaseFile, TurnErasure
from app.sweeping import Sweep
from app.types import ChatRequest
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.erasure import Named
from retrieval.errors import DocumentNotFound, IngestRunning
from retrieval.files import SourceFile, corpus_lock, list_files
from retrieval.index.folder import IndexFolders
from retrieval.store.erasure import ErasureStore
from retrieval.types import IngestReport, Labels, Quarantined, ReasonCode, Stage
from tests.conftest import Build
from tests.crash_matrix import InProcess
from tests.remains import remains

FOOTER = "This footer of the handbook stands under each of its pages, word for word, and tells nothing of anybody."
PAGES = {
    "pumps.md": "# Pumps\n\nA pump moves 40 litres of water a minute when its valve is open.\n",
    "valves.md": f"# Valves\n\nA valve is checked every 12 months by two people.\n\n{FOOTER}\n",
    "staff/doe.md": (
        "# Staff of the northern building\n\n## The pump team\n\nJane Q. Doe leads the pump team since 2019. Her "
        f"number is 4711, and she prefers to be called before noon on Tuesdays.\n\n{FOOTER}\n"
    ),
}
SUBJECT = Named(subject="jane  Q. DOE")
SENTENCE = "prefers to be called before noon on tuesdays"


def silent(step: str, done: int, total: int) -> None: ...


def ingest(services: Services, files: Iterable[SourceFile], corpus: str = "default") -> IngestReport:
    return replace(services.ingestor, open_parser=InProcess).ingest(list(files), corpus)


def write(folder: Path, pages: dict[str, str]) -> Path:
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def fast(services: Services) -> Forget:
    return replace(services.forget, compact_tries=1)


def forget(services: Services, named: Named = SUBJECT) -> Outcome:
    return fast(services).run(named, silent)


@pytest.fixture
def build_with_words(build_services: Build, settings: Settings) -> Services:
    words = settings.chat.model_copy(update={"record_text": True, "min_answerable": 0.0})
    return build_services(given=settings.model_copy(update={"chat": words}))


@pytest.fixture
async def lived(build_with_words: Services, tmp_path: Path) -> tuple[Services, str, str]:
    """A home with three snapshots, turns, feedback, a quarantined file, evaluations: a subject is all over it."""
    services, home = build_with_words, build_with_words.settings.home
    folder = write(tmp_path / "pages", PAGES)
    first = ingest(services, list_files([folder])).snapshot
    write(folder, {"pumps.md": PAGES["pumps.md"] + "\nIt is oiled by hand.\n"})
    second = ingest(services, list_files([folder])).snapshot
    failed = Quarantined("jane-q.-doe.bin", ReasonCode.UNSUPPORTED, "of Jane Q. Doe", Stage.DETECT)
    services.corpora.record_quarantine("default", [failed], ())
    for number, question in enumerate(("Who leads the pump team?", "How many litres does a pump move?")):
        turn = await services.pipeline.run(ChatRequest(question))
        services.turns.add_feedback(turn.turn_id, "down", "Ask Jane Q. Doe!" if number else "wrong")
    records = [{"case_id": "a", "answer": "Jane Q.\nDoe leads."}, {"case_id": "b", "answer": "40 litres"}]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    for name, data in {
        "runs/r1/records.jsonl": lines.encode(),
        "runs/r1/records.jsonl.xz": lzma.compress(lines.encode()),
        "runs/r1/report.html": b"<p>Jane Q.&nbsp;Doe</p>",
        "runs/r2/report.html": b"<p>40 litres</p>",
        "promoted/handbook.jsonl": lines.encode(),
        "eval-cache/ab/abc.json": json.dumps(records[0]).encode(),
        "indexes/default/.old.tmp/labels.json": b"jane q. doe",
        "contracts/.default.yaml.1.tmp": b"jane q. doe",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    assert len(remains(home, "Jane Q. Doe")) == 3
    return services, first, second


async def test_nothing_of_a_subject_is_left_and_all_else_stays(lived: tuple[Services, str, str]) -> None:
    services, first, _ = lived
    home = services.settings.home
    said = fast(services).plan(SUBJECT)
    assert said.uris == ("jane-q.-doe.bin", "staff/doe.md") and said.counts["turns"] >= 1
    outcome = forget(services)
    assert outcome.clean, outcome.receipt["scan"]
    for value in ("Jane Q. Doe", "Jane Q.\nDoe", SENTENCE, "the northern building", "jane-q.-doe"):
        assert remains(home, value) == []
    erased = outcome.receipt["erased"]
    assert (erased["documents"], erased["versions"], erased["snapshots"], erased["quarantine"]) == (2, 1, 2, 1)
    assert (erased["eval records"], erased["drafts"], erased["cached turns"], erased["eval reports"]) == (2, 1, 1, 1)
    assert [rows(home, table) for table in ("versions", "profiles", "snapshot_documents")] == [3, 3, 6]
    assert erased["feedback"] >= 2 and erased["leftovers"] == 1
    assert (home / "runs/r2/report.html").read_bytes() == b"<p>40 litres</p>"
    assert b"40 litres" in lzma.decompress((home / "runs/r1/records.jsonl.xz").read_bytes())
    assert len(services.turns.rated_down()) <= 1 and len(services.corpora.members("default", first)) == 2
    found = await services.retriever.search("pump team northern building", "default", 10)
    assert {passage.uri for passage in found.passages} <= {"pumps.md", "valves.md"}


def test_what_serves_is_what_would_serve_had_it_never_been_there(
    lived: tuple[Services, str, str], build_services: Build, settings: Settings, tmp_path: Path
) -> None:
    services, _, _ = lived
    forget(services)
    folder = tmp_path / "pages"
    (folder / "staff/doe.md").unlink()
    other = build_services(given=settings.model_copy(update={"home": tmp_path / "other"}))
    never = ingest(other, list_files([folder])).snapshot
    assert services.corpora.active("default") == never
    ours, theirs = (s.settings.home / "indexes" / "default" / never for s in (services, other))
    names = {path.relative_to(ours) for path in ours.rglob("*") if path.is_file()}
    assert names == {path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file()}
    same = names - {Path("rows.npz"), Path("checksums.json")}  # the archive holds the time that it was written at
    assert all((ours / name).read_bytes() == (theirs / name).read_bytes() for name in same)


def test_every_snapshot_is_whole_says_what_went_and_serves_again(lived: tuple[Services, str, str]) -> None:
    services, first, second = lived
    receipt = forget(services).receipt["receipt"]
    for name in (first, second):
        assert list(services.snapshots.verify("default", name)) == []
        assert receipt in "".join(services.snapshots.erasures("default", name))
        services.snapshots.activate("default", name)
        assert list(services.snapshots.verify("default", name)) == []
        assert len(services.corpora.members("default", name)) == 2
    assert services.snapshots.rollback("default") == first
    assert services.snapshots.erasures("default", services.corpora.newest("default", 1)[0]) == []
    assert remains(services.settings.home, SENTENCE) == []


def test_a_manifest_that_is_changed_after_an_erasure_is_a_fault(lived: tuple[Services, str, str]) -> None:
    services, first, _ = lived
    forget(services)
    with sqlite3.connect(services.settings.home / "assay.db") as db:
        db.execute("UPDATE snapshots SET manifest = replace(manifest, 'words-2', 'words-9')")
    db.close()
    assert any("the erasure" in fault for fault in services.snapshots.verify("default", first))


@pytest.mark.parametrize("by_id", [True, False])
def test_a_document_goes_with_all_its_versions_and_stays_away(services: Services, tmp_path: Path, by_id: bool) -> None:
    folder = write(tmp_path / "pages", PAGES)
    ingest(services, list_files([folder]))
    write(folder, {"staff/doe.md": PAGES["staff/doe.md"] + "\nShe is away in May and all of June of this year.\n"})
    serving = ingest(services, list_files([folder])).snapshot
    member = next(m for m in services.corpora.members("default", serving) if m.uri == "staff/doe.md")
    outcome = forget(services, Named(document=member.doc_id if by_id else "staff/doe.md"))
    assert outcome.clean and outcome.receipt["erased"]["versions"] == 2
    assert outcome.receipt["asked"]["doc_ids"] == [member.doc_id]
    for value in (SENTENCE, "away in may and all", "staff/doe.md"):
        assert remains(services.settings.home, value) == []

    again = ingest(services, list_files([folder]))
    write(tmp_path / "elsewhere", {"copy.md": (folder / "staff/doe.md").read_text("utf-8")})
    copied = ingest(services, list_files([tmp_path / "elsewhere"]), "other")
    for report in (again, copied):
        (row,) = report.quarantined
        assert row.code is ReasonCode.FORGOTTEN and outcome.receipt["receipt"] in row.detail
    assert again.documents == 2 and again.quarantined[0].uri == f"forgotten:{member.doc_id}"
    assert remains(services.settings.home, "staff/doe.md") == []

    assert services.forget.lift(outcome.receipt["receipt"]) == 3
    back = ingest(services, list_files([folder]))
    assert back.added == 1 and not back.quarantined
    assert list(services.snapshots.verify("default", back.snapshot)) == []
    with pytest.raises(RequestError):
        services.forget.lift(outcome.receipt["receipt"])


def test_a_subject_stays_away_however_it_is_written(services: Services, tmp_path: Path) -> None:
    folder = write(tmp_path / "pages", PAGES)
    ingest(services, list_files([folder]))
    receipt = forget(services).receipt["receipt"]
    write(
        folder, {"note.txt": "Yesterday ＪＡＮＥ\n   q. doe's pump failed.", "other.txt": "Jane Doe is someone else."}
    )
    labelled = [replace(file, labels=Labels(attributes={"author": "jane q. doe"})) for file in list_files([folder])]
    report = ingest(services, list_files([folder]))
    assert {row.uri for row in report.quarantined} == {"note.txt", "staff/doe.md"} and report.documents == 3
    assert all(receipt in row.detail for row in report.quarantined)
    assert ingest(services, labelled).documents == 0
    assert remains(services.settings.home, "jane q. doe") == []


def test_a_document_that_came_back_with_leave_makes_another_snapshot(services: Services, tmp_path: Path) -> None:
    """The old id names a manifest that had an erasure: its index lacks the document."""
    folder = write(tmp_path / "pages", PAGES)
    old = ingest(services, list_files([folder])).snapshot
    for _ in range(2):
        services.forget.lift(forget(services).receipt["receipt"])
        new = ingest(services, list_files([folder]))
        assert new.snapshot != old and new.documents == 3
        assert list(services.snapshots.verify("default", new.snapshot)) == []
        services.snapshots.activate("default", old)
        assert list(services.snapshots.verify("default", old)) == []
        services.snapshots.activate("default", new.snapshot)


def test_only_the_named_corpus_is_touched(services: Services, tmp_path: Path) -> None:
    folder = write(tmp_path / "pages", PAGES)
    for corpus in ("one", "two"):
        ingest(services, list_files([folder]), corpus)
    outcome = forget(services, Named(document="staff/doe.md", corpora=("one",)))
    assert outcome.clean, "what the other corpus holds by right is no trace"
    assert len(services.corpora.members("one", services.corpora.active("one"))) == 2
    two = services.corpora.active("two")
    assert len(services.corpora.members("two", two)) == 3 and list(services.snapshots.verify("two", two)) == []
    assert ingest(services, list_files([folder]), "two").quarantined == ()


def test_vectors_of_texts_that_others_have_too_stay(services: Services, tmp_path: Path) -> None:
    twin = "# Twin\n\nThe same words, twice, under two names, so that they share one vector for good.\n"
    folder = write(tmp_path / "pages", {"a.md": twin, "b.md": twin})
    ingest(services, list_files([folder]))
    plan = fast(services).plan(Named(document="a.md"))
    assert plan.copies == ("b.md",) and plan.counts["vectors"] == 0
    assert forget(services, Named(document="a.md")).clean
    assert list(services.snapshots.verify("default", services.corpora.active("default"))) == []


class Windowed(HashingEmbedder):
    """Reads neighbouring chunks together, as bge does."""

    window_chars = 1_500


def test_vectors_of_windows_go_but_for_those_that_others_share(settings: Settings, tmp_path: Path) -> None:
    shared = "# Twin\n\n" + " ".join(f"word{number} of the twin." for number in range(500))
    folder = write(tmp_path / "pages", {"a.md": shared + "\n\n" + PAGES["staff/doe.md"] * 9, "b.md": shared})
    small = settings.retrieval.model_copy(update={"chunk_tokens": 40})
    counts = []
    for name in ("with", "without"):
        home = settings.model_copy(update={"home": tmp_path / name, "retrieval": small})
        services = build(home, embedder=Windowed())
        ingest(services, list_files([folder]))
        if name == "with":
            assert forget(services).clean
            assert list(services.snapshots.verify("default", services.corpora.active("default"))) == []
            (folder / "a.md").unlink()
        counts.append(rows(tmp_path / name, "vectors"))
        services.close()
    assert counts[0] == counts[1] > 5


def rows(home: Path, table: str) -> int:
    with sqlite3.connect(home / "assay.db") as db:
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    db.close()
    return int(count)


def test_an_empty_corpus_is_left_where_all_of_it_goes(services: Services, tmp_path: Path) -> None:
    ingest(services, list_files([write(tmp_path / "pages", {"a.md": PAGES["staff/doe.md"]})]))
    assert forget(services).clean
    active = services.corpora.active("default")
    assert (
        services.corpora.members("default", active) == [] and list(services.snapshots.verify("default", active)) == []
    )


class Killed(BaseException):
    """In the place of a kill: no code of the program catches it."""


STEPS: list[tuple[Any, str]] = [
    (ErasureStore, "corpora"),
    (IndexFolders, "write"),
    (IndexFolders, "keep_only"),
    (ErasureStore, "erase"),
    (ErasureStore, "drop_quarantined"),
    (ErasureStore, "redact"),
    (TurnErasure, "erase"),
    (Sweep, "run"),
    (DatabaseFile, "compact"),
    (DatabaseFile, "cells"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("holder", "name"), STEPS, ids=[f"{h.__name__}.{n}" for h, n in STEPS])
def test_what_was_interrupted_is_finished(
    lived: tuple[Services, str, str],
    build_services: Build,
    monkeypatch: pytest.MonkeyPatch,
    holder: Any,
    name: str,
    when: str,
) -> None:
    services, _, _ = lived
    home = services.settings.home
    real: Callable[..., Any] = getattr(holder, name)

    def dies(*args: Any, **kwargs: Any) -> Any:
        if not list(home.glob("erasures/*.intent")):  # while it is only looked at what there is
            return real(*args, **kwargs)
        if when == "after":
            real(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(holder, name, dies)
        with pytest.raises(Killed):
            forget(services)
    sealed = b"".join(path.read_bytes() for path in home.glob("erasures/*"))
    assert sealed and b"doe" not in sealed.lower()
    again = build_services()
    for row in again.snapshots.list("default"):
        if row.indexed or row.serves:
            assert list(again.snapshots.verify("default", row.snapshot.id)) == []
    (outcome,) = fast(again).resume(silent, all_of_them=False)
    assert outcome.clean, outcome.receipt["scan"]
    assert outcome.receipt["erased"]["documents"] == 2 and outcome.receipt["erased"]["versions"] == 1
    for value in ("Jane Q. Doe", SENTENCE):
        assert remains(home, value) == []
    assert not list(home.glob("erasures/*")) and sorted(p.name for p in home.glob("keys/*")) == [
        "erasure.key",
        "receipts.key",
        "turns.key",
    ]
    assert fast(again).resume(silent, all_of_them=True) == []


async def test_the_service_finishes_what_was_interrupted(
    lived: tuple[Services, str, str], build_services: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, _, _ = lived
    with monkeypatch.context() as patched:
        patched.setattr(TurnErasure, "erase", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            forget(services)
    await upkeep(build_services())
    assert remains(services.settings.home, "Jane Q. Doe") == []


def test_a_reader_that_stays_is_told_of_and_success_is_not_claimed(lived: tuple[Services, str, str]) -> None:
    services, _, _ = lived
    reader = sqlite3.connect(services.settings.home / "assay.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turns").fetchone()
    outcome = forget(services)
    assert not outcome.clean
    assert any("not emptied" in trace["form"] for trace in outcome.receipt["scan"]["traces"])
    assert fast(services).resume(silent, all_of_them=False) == [], "only on request: it has a receipt"
    reader.close()
    (outcome,) = fast(services).resume(silent, all_of_them=True)
    assert outcome.clean and outcome.path.name.endswith(".2.json")
    assert remains(services.settings.home, "Jane Q. Doe") == []


def test_a_trace_that_cannot_be_taken_out_is_named_without_its_words(lived: tuple[Services, str, str]) -> None:
    services, _, _ = lived
    contract = services.settings.home / "contracts" / "default.yaml"
    contract.write_text("metadata: {owner: {allowed: [Jane Q. Doe]}}", encoding="utf-8")
    outcome = forget(services)
    assert outcome.receipt["scan"]["traces"] == [{"where": "contracts/default.yaml", "form": "text"}]
    assert "doe" not in outcome.path.read_text("utf-8").lower()
    contract.unlink()
    assert all(outcome.clean for outcome in fast(services).resume(silent, all_of_them=True))


def test_an_ingest_in_progress_is_not_disturbed(services: Services, tmp_path: Path) -> None:
    ingest(services, list_files([write(tmp_path / "pages", PAGES)]))
    with corpus_lock(services.settings.home / "locks" / "default.lock"), pytest.raises(IngestRunning):
        forget(services)
    assert not list(services.settings.home.glob("erasures/*"))


@pytest.mark.parametrize("value", ["", "  ", "Doe", "ab c"])
def test_a_value_that_stands_anywhere_is_refused(services: Services, value: str) -> None:
    with pytest.raises(RequestError, match="characters"):
        services.forget.run(Named(subject=value), silent)


def test_a_document_that_is_nowhere_is_an_error(corpus: Services) -> None:
    with pytest.raises(DocumentNotFound):
        corpus.forget.plan(Named(document="nowhere.md"))


def test_other_documents_are_embedded_nothing_anew(lived: tuple[Services, str, str]) -> None:
    services, _, _ = lived
    embedder = services.retriever.embedders[0]
    assert isinstance(embedder, HashingEmbedder)
    embedder.embedded.clear()
    forget(services)
    assert embedder.embedded == []
