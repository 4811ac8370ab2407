"""Who finds what: the index admits a document only to whom its labels allow, whatever else is in the corpus."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from retrieval.files import SourceFile
from retrieval.types import OPEN, SHARED, Access, Labels, Scope

pytestmark = pytest.mark.both_databases

TEXT = "The harbour fee is {} euros a night for every boat."


def put(services: Services, folder: Path, name: str, words: str, labels: Labels) -> SourceFile:
    path = folder / name
    path.write_text(words, encoding="utf-8")
    return SourceFile(name, path, "test", labels)


async def uris(services: Services, scope: Scope, k: int = 50) -> set[str]:
    return {p.uri for p in (await services.retriever.search("harbour fee", "default", k, scope)).passages}


async def test_a_search_finds_what_its_scope_admits(services: Services, tmp_path: Path) -> None:
    files = [
        put(services, tmp_path, "open.txt", TEXT.format(1), Labels()),
        put(services, tmp_path, "acme.txt", TEXT.format(2), Labels("acme")),
        put(services, tmp_path, "board.txt", TEXT.format(3), Labels("acme", ("board",), {"year": 2026})),
        put(services, tmp_path, "shared.txt", TEXT.format(4), Labels(SHARED)),
        put(services, tmp_path, "other.txt", TEXT.format(5), Labels("other")),
    ]
    services.ingestor.ingest(files, "default")
    acme, board = Access("acme"), Access("acme", frozenset({"board"}))
    assert await uris(services, OPEN) == {"open.txt", "shared.txt"}
    assert await uris(services, Scope(acme)) == {"acme.txt", "shared.txt"}
    assert await uris(services, Scope(board)) == {"acme.txt", "board.txt", "shared.txt"}
    assert await uris(services, Scope(board, {"year": 2026})) == {"board.txt"}
    assert await uris(services, Scope(Access("nobody"))) == {"shared.txt"}


async def test_changed_labels_make_another_snapshot_and_embed_nothing(services: Services, tmp_path: Path) -> None:
    file = put(services, tmp_path, "a.txt", TEXT.format(1), Labels())
    first = services.ingestor.ingest([file], "default")
    second = services.ingestor.ingest([replace(file, labels=Labels("acme"))], "default")
    assert second.snapshot != first.snapshot and second.embedded == 0
    assert await uris(services, OPEN) == set()
    assert await uris(services, Scope(Access("acme"))) == {"a.txt"}
    assert await uris(services, Scope(snapshot=first.snapshot)) == {"a.txt"}


async def test_another_tenant_s_documents_change_no_score(services: Services, tmp_path: Path) -> None:
    files = [put(services, tmp_path, f"{i}.txt", TEXT.format(i), Labels("acme")) for i in range(5)]
    services.ingestor.ingest(files, "default")
    alone = await services.retriever.search("harbour fee 3", "default", 5, Scope(Access("acme")))
    loud = put(services, tmp_path, "loud.txt", "harbour fee 3 " * 50, Labels("other"))
    services.ingestor.ingest([*files, loud], "default")
    both = await services.retriever.search("harbour fee 3", "default", 5, Scope(Access("acme")))
    assert [replace(p, snapshot="") for p in alone.passages] == [replace(p, snapshot="") for p in both.passages]


LABELS = st.builds(
    Labels, st.sampled_from(["", "a", "b", SHARED]), st.sets(st.sampled_from("xyz")).map(lambda g: tuple(sorted(g)))
)


@given(LABELS, st.sampled_from(["", "a", "b", SHARED]), st.sets(st.sampled_from("xyz")))
def test_an_access_sees_its_tenant_s_and_the_shared_open_to_its_groups(
    labels: Labels, tenant: str, groups: set[str]
) -> None:
    sees = Access(tenant, frozenset(groups)).sees(labels)
    assert sees == (labels.tenant in {tenant, SHARED} and (not labels.groups or bool(groups & set(labels.groups))))
