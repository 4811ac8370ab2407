"""Ingest: idempotent, incremental, and never a mix of two snapshots."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.bootstrap import Services
from app.settings import Settings
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import CorpusNotFound, IndexOutdated, IngestRunning, PathNotFound
from retrieval.files import corpus_lock, folders, list_files
from retrieval.types import IngestReport, ReasonCode
from tests.conftest import DOCUMENTS, Build

pytestmark = pytest.mark.both_databases


def ingest(services: Services, folder: Path, *, prune: bool = False) -> IngestReport:
    return services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]) if prune else ())


def embedded(services: Services) -> list[str]:
    embedder = services.retriever.embedders[0]
    assert isinstance(embedder, HashingEmbedder)
    texts, embedder.embedded = embedder.embedded, []
    return texts


def test_the_same_content_again_is_a_no_op(services: Services, documents: Path) -> None:
    first = ingest(services, documents)
    assert (first.documents, first.added, len(embedded(services))) == (3, 3, first.chunks)
    second = ingest(services, documents)
    assert (second.snapshot, second.unchanged, second.embedded) == (first.snapshot, 3, 0)
    assert embedded(services) == []


def test_only_new_chunks_are_embedded(services: Services, documents: Path) -> None:
    before = ingest(services, documents)
    embedded(services)
    (documents / "canary.md").write_text("# Canary releases\n\nA canary gets 5 percent.\n", encoding="utf-8")
    after = ingest(services, documents)
    assert after.snapshot != before.snapshot
    assert (after.changed, after.unchanged, after.documents) == (1, 2, 3)
    assert all("5 percent" in text for text in embedded(services))


async def test_a_changed_file_replaces_its_old_version(services: Services, documents: Path) -> None:
    ingest(services, documents)
    old = (await services.retriever.search("canary percent", "default", 1)).passages[0]
    (documents / "canary.md").write_text("# Canary releases\n\nA canary gets 5 percent.\n", encoding="utf-8")
    ingest(services, documents)
    found = await services.retriever.search("canary percent", "default", 10)
    assert not any("1 percent" in passage.text for passage in found.passages)
    # a citation of the old snapshot can still be opened
    _, version = services.corpora.version_in(old.doc_id, old.snapshot)
    assert services.corpora.document(old.doc_id, version).parsed.text[old.start : old.end] == old.text


def test_a_vanished_file_goes_only_with_prune(services: Services, documents: Path) -> None:
    ingest(services, documents)
    (documents / "canary.md").unlink()
    assert ingest(services, documents).documents == 3
    pruned = ingest(services, documents, prune=True)
    assert (pruned.documents, pruned.removed) == (2, 1)


def test_prune_leaves_documents_of_other_folders(services: Services, documents: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "only.txt").write_text("Another folder's document stays.", encoding="utf-8")
    ingest(services, documents)
    ingest(services, other)
    assert ingest(services, documents, prune=True).documents == 4


def test_prune_follows_a_folder_that_moved_and_one_that_was_emptied(services: Services, documents: Path) -> None:
    ingest(services, documents)
    moved = documents.rename(documents.with_name("moved"))
    assert ingest(services, moved).unchanged == 3
    (moved / "canary.md").unlink()
    assert ingest(services, moved, prune=True).documents == 2
    shutil.rmtree(moved)
    moved.mkdir()
    assert ingest(services, moved, prune=True).documents == 0


def test_a_pattern_prunes_nothing(documents: Path) -> None:
    assert folders([f"{documents}/**/*.md", documents / "canary.md"]) == frozenset()


@pytest.mark.both_databases(False)
async def test_an_index_folder_that_was_being_removed_is_built_anew(services: Services, documents: Path) -> None:
    first = ingest(services, documents)
    (documents / "canary.md").write_text("A canary gets 5 percent.", encoding="utf-8")
    ingest(services, documents)
    folder = services.settings.home / "indexes" / "default" / first.snapshot
    folder.rename(folder.with_name(f".{first.snapshot}.gone"))  # as a kill in the middle of `keep_only` leaves it
    (documents / "canary.md").write_text(DOCUMENTS["canary.md"], encoding="utf-8")
    assert ingest(services, documents).snapshot == first.snapshot
    assert (await services.retriever.search("canary traffic", "default", 1)).snapshot == first.snapshot


def test_a_fifo_in_a_known_files_place_holds_nothing_up(services: Services, documents: Path) -> None:
    ingest(services, documents)
    (documents / "canary.md").unlink()
    os.mkfifo(documents / "canary.md")
    assert ingest(services, documents).quarantined[0].code == ReasonCode.UNREADABLE


def test_a_failing_file_is_quarantined_and_the_rest_go_on(services: Services, documents: Path) -> None:
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7 this is not one")
    (documents / "empty.txt").write_bytes(b"")
    report = ingest(services, documents)
    assert report.documents == 3
    assert {(row.uri, row.code) for row in report.quarantined} == {
        ("broken.pdf", ReasonCode.CORRUPT),
        ("empty.txt", ReasonCode.EMPTY),
    }
    assert services.corpora.quarantined("default") == list(report.quarantined)
    (documents / "broken.pdf").write_text("Well again, and plain text.", encoding="utf-8")
    ingest(services, documents)
    assert [row.uri for row in services.corpora.quarantined("default")] == ["empty.txt"]


def test_a_file_that_breaks_keeps_its_old_version_serving(services: Services, documents: Path) -> None:
    ingest(services, documents)
    (documents / "canary.md").write_bytes(b"%PDF-1.7 broken now")
    report = ingest(services, documents)
    assert (report.documents, report.quarantined[0].code) == (3, ReasonCode.CORRUPT)


def test_the_same_documents_make_the_same_snapshot_id_anywhere(
    build_services: Build, services: Services, documents: Path, tmp_path: Path
) -> None:
    first = ingest(services, documents)
    elsewhere = services.settings.model_copy(update={"home": tmp_path / "elsewhere"})
    assert ingest(build_services(given=elsewhere), documents).snapshot == first.snapshot


async def test_readers_switch_to_a_snapshot_that_another_process_published(
    build_services: Build, corpus: Services, documents: Path
) -> None:
    before = await corpus.retriever.search("gap", "default", 1)
    (documents / "new.txt").write_text("The zeppelin flies at noon over the harbour.", encoding="utf-8")
    ingest(build_services(), documents)
    after = await corpus.retriever.search("zeppelin harbour", "default", 1)
    assert after.snapshot != before.snapshot
    assert "zeppelin" in after.passages[0].text


def test_two_files_under_one_uri_are_not_mixed(services: Services, documents: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "canary.md").write_text("A bird, kept in mines.", encoding="utf-8")
    ingest(services, documents)
    report = ingest(services, other)
    assert [row.code for row in report.quarantined] == [ReasonCode.DUPLICATE_URI]
    assert report.documents == 3


def test_a_second_ingest_at_the_same_time_is_refused(services: Services, documents: Path) -> None:
    with corpus_lock(services.settings.home / "locks" / "default.lock"), pytest.raises(IngestRunning):
        ingest(services, documents)


async def test_an_empty_corpus_says_how_to_fill_it(services: Services) -> None:
    with pytest.raises(CorpusNotFound, match="assay ingest"):
        await services.retriever.search("anything", "default", 3)


async def test_a_corpus_without_a_word_finds_nothing(services: Services, tmp_path: Path) -> None:
    folder = tmp_path / "blank"
    folder.mkdir()
    (folder / "x.txt").write_text("", encoding="utf-8")
    report = ingest(services, folder)
    assert (report.documents, report.chunks) == (0, 0)
    assert (await services.retriever.search("anything", "default", 3)).passages == ()


def test_a_path_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    for missing in (tmp_path / "nothing", tmp_path / "*.md"):
        with pytest.raises(PathNotFound):
            list_files([missing])


def test_files_are_named_by_their_path_within_what_was_named(documents: Path) -> None:
    assert [f.uri for f in list_files([documents])] == ["canary.md", "splits.md", "sub/drift.txt"]
    assert [f.uri for f in list_files([documents / "sub" / "drift.txt"])] == ["drift.txt"]
    assert [f.uri for f in list_files([f"{documents}/**/*.txt"])] == ["sub/drift.txt"]


def test_hidden_files_and_links_out_of_the_folder_are_passed_over(documents: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours", encoding="utf-8")
    (documents / "link.txt").symlink_to(secret)
    (documents / ".hidden.txt").write_text("hidden", encoding="utf-8")
    assert "link.txt" not in [f.uri for f in list_files([documents])]
    assert len(list_files([documents])) == 3


def test_old_indexes_go_and_old_documents_stay(services: Services, documents: Path) -> None:
    snapshots = []
    for number in range(8):
        (documents / "canary.md").write_text(f"A canary gets {number} percent of traffic.", encoding="utf-8")
        snapshots.append(ingest(services, documents).snapshot)
    kept = [name for name in snapshots if services.snapshots.publisher.indexes.holds("default", name)]
    assert kept == snapshots[-services.settings.retrieval.keep_indexes :]
    assert len(services.corpora.members("default", snapshots[0])) == 3


async def test_an_index_without_an_embedder_s_vectors_says_what_to_do(corpus: Services) -> None:
    other = HashingEmbedder()
    other.name = "other"
    retriever = replace(corpus.retriever, embedders=(*corpus.retriever.embedders, other))
    with pytest.raises(IndexOutdated, match="no vectors of other"):
        await retriever.search("canary", "default", 3)
    assert (await retriever.only("bm25").search("canary", "default", 3)).passages


@pytest.mark.both_databases(False)
async def test_an_index_of_an_earlier_version_is_not_taken_for_a_damaged_one(
    corpus: Services, build_services: Build, settings: Settings
) -> None:
    snapshot = corpus.corpora.active("default")
    (settings.home / "indexes" / "default" / snapshot / "labels.json").unlink()
    with pytest.raises(IndexOutdated, match="Ingest its documents again"):
        await build_services().retriever.search("canary", "default", 3)


async def test_a_passage_that_many_documents_repeat_is_embedded_once(services: Services, tmp_path: Path) -> None:
    folder = tmp_path / "repeats"
    for number in range(70):  # far more documents than are read together, all of the same title
        path = folder / f"{number:02}" / "notice.md"
        path.parent.mkdir(parents=True)
        shared = "same notice " * 90 if number % 35 == 0 else f"notice {number} " * 90
        path.write_text(f"# Notice\n\n## Part\n\n{shared}\n\n## Own\n\n{f'own {number} ' * 90}", encoding="utf-8")
    report = ingest(services, folder)
    assert (report.documents, report.chunks, report.embedded) == (70, 140, 139)
    assert sum("same notice" in text for text in embedded(services)) == 1
    found = await services.retriever.search("same notice", "default", 2)
    assert {passage.uri for passage in found.passages} == {"00/notice.md", "35/notice.md"}
