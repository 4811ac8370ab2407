"""Snapshots: listed, compared, switched back without embedding, exported, and checked to the last byte."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text as sql

from app.bootstrap import Services, build
from app.settings import Settings
from app.store.database import open_database
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.embedders.port import Vectors
from retrieval.errors import IndexOutdated, NoRollback, SnapshotNotFound
from retrieval.files import folders, list_files
from retrieval.types import Labels

pytestmark = pytest.mark.both_databases


def ingest(services: Services, folder: Path) -> str:
    return services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder])).snapshot


@pytest.fixture
def two(services: Services, documents: Path) -> tuple[str, str]:
    """Two snapshots: in the second one document is changed, one gone, one new."""
    first = ingest(services, documents)
    (documents / "canary.md").write_text("A canary release gets 5 percent of the traffic.", encoding="utf-8")
    (documents / "splits.md").unlink()
    (documents / "new.txt").write_text("A new document about ramps.", encoding="utf-8")
    return first, ingest(services, documents)


async def test_rollback_serves_what_served_before_and_embeds_nothing(services: Services, two: tuple[str, str]) -> None:
    embedder = services.retriever.embedders[0]
    assert isinstance(embedder, HashingEmbedder)
    embedder.embedded.clear()
    assert services.snapshots.rollback("default") == two[0] == services.corpora.active("default")
    found = await services.retriever.search("canary traffic", "default", 1)
    assert "1 percent" in found.passages[0].text and found.snapshot == two[0]
    assert services.snapshots.rollback("default") == two[1]
    assert embedder.embedded == []


def test_a_first_snapshot_has_nothing_to_go_back_to(corpus: Services) -> None:
    with pytest.raises(NoRollback):
        corpus.snapshots.rollback("default")


@pytest.mark.both_databases(False)
async def test_an_index_that_was_removed_is_rebuilt_byte_by_byte(services: Services, two: tuple[str, str]) -> None:
    folder = services.settings.home / "indexes" / "default" / two[0]
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder)
    services.snapshots.activate("default", two[0])
    after = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert before.keys() == after.keys()
    assert {path for path in before if before[path] != after[path]} <= {Path("rows.npz"), Path("checksums.json")}
    assert list(services.snapshots.verify("default", two[0])) == []


def test_a_snapshot_of_other_models_without_its_index_says_so(services: Services, two: tuple[str, str]) -> None:
    services.snapshots.publisher.indexes.keep_only("default", [two[1]])
    other = replace(services.snapshots.publisher, embedders=(HashingEmbedder(64),))
    with pytest.raises(IndexOutdated):
        replace(services.snapshots, publisher=other).activate("default", two[0])
    assert services.corpora.active("default") == two[1]


def test_the_list_says_what_serves_and_who_did_it(services: Services, two: tuple[str, str]) -> None:
    rows = services.snapshots.list("default")
    assert {row.snapshot.id for row in rows} == set(two)
    assert [row.snapshot.id for row in rows if row.serves] == [two[1]]
    assert all(row.activation and row.activation.who and row.activation.contract for row in rows)
    assert services.snapshots.find("default", two[0][:6]) == two[0]
    with pytest.raises(SnapshotNotFound):
        services.snapshots.find("default", "nope")


def test_a_difference_names_uris(services: Services, documents: Path, two: tuple[str, str]) -> None:
    found = services.snapshots.diff("default", *two)
    assert (found.added, found.removed, found.changed) == (("new.txt",), ("splits.md",), ("canary.md",))
    files = [replace(file, labels=Labels("acme")) for file in list_files([documents])]
    third = services.ingestor.ingest(files, "default").snapshot
    assert len(services.snapshots.diff("default", two[1], third).relabelled) == 3


def test_an_export_has_the_same_bytes_twice(services: Services, two: tuple[str, str], tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        assert services.snapshots.export("default", two[1], tmp_path / name) == 3
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_whole_snapshot_is_found_whole(services: Services, two: tuple[str, str]) -> None:
    for name in two:
        assert list(services.snapshots.verify("default", name)) == []


class Short(HashingEmbedder):
    """Its vectors are a little short, as those of a model in bfloat16 may be."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return super().embed_passages(texts) * np.float32(0.998)


def test_vectors_that_are_not_quite_of_length_one_are_found(settings: Settings, documents: Path) -> None:
    services = build(settings, embedder=Short())
    assert list(services.snapshots.verify("default", ingest(services, documents))) == []
    services.close()


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE versions SET text = replace(text, 'percent', 'per cent')", "text is not the one"),
        ("UPDATE chunks SET start = start + 1", "are not those that were embedded"),
        ("UPDATE snapshot_documents SET tenant = 'other'", "not those of its manifest"),
        ("UPDATE snapshots SET manifest = replace(manifest, 'default', 'another')", "manifest is not the one"),
        ("UPDATE vectors SET vector = :zeros", "is not found"),
    ],
)
def test_damage_in_the_database_is_found(services: Services, two: tuple[str, str], statement: str, fault: str) -> None:
    engine = open_database(services.settings.home, services.settings.database_url)
    with engine.execution_options(write=True).begin() as db:
        db.execute(sql(statement), {"zeros": bytes(1024)} if ":zeros" in statement else {})
    engine.dispose()
    assert any(fault in line for line in services.snapshots.verify("default", two[1]))


@pytest.mark.both_databases(False)
@pytest.mark.parametrize("name", ["rows.npz", "labels.json", "0/vectors/hashing/vectors.faiss", "checksums.json"])
def test_a_changed_byte_in_the_index_is_found(services: Services, two: tuple[str, str], name: str) -> None:
    path = services.settings.home / "indexes" / "default" / two[1] / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert any("index" in line for line in services.snapshots.publisher.indexes.faults("default", two[1]))
