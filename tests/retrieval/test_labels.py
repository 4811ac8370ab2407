"""Labels from files beside the documents: nearer wins, documents cannot open themselves, what is broken stays shut."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from retrieval.errors import LabelsBroken
from retrieval.files import list_files
from retrieval.labels import to_labels
from retrieval.types import OPEN, Labels, ReasonCode


def labels(folder: Path) -> dict[str, Labels]:
    return {file.uri: file.labels for file in list_files([folder])}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_nearer_labels_win(tmp_path: Path) -> None:
    write(tmp_path / "_metadata.yaml", "tenant: acme\ngroups: [staff]\nproduct: pump\ndocuments: {'*.txt': {price: 5}}")
    write(tmp_path / "a.txt", "A pump.")
    write(tmp_path / "sub/_metadata.yaml", "groups: board\nvalid: 2026-01-02\ntags: [x, y]")
    write(tmp_path / "sub/b.md", "---\nproduct: valve\ntenant: '*'\ngroups: []\n---\nA valve.")
    write(tmp_path / "sub/c.txt", "A cock.")
    write(tmp_path / "sub/c.txt.meta.yaml", "product: cock\ngroups: [audit, board]")
    found = labels(tmp_path)
    assert found == {
        "a.txt": Labels("acme", ("staff",), {"price": 5, "product": "pump"}),
        "sub/b.md": Labels("acme", ("board",), {"product": "valve", "tags": "x, y", "valid": "2026-01-02"}),
        "sub/c.txt": Labels(
            "acme", ("audit", "board"), {"price": 5, "product": "cock", "tags": "x, y", "valid": "2026-01-02"}
        ),
    }


@pytest.mark.parametrize(
    "text", ["groups: [1]", "a: b: c", "- list", "x: {y: 1}", "tenant: [a]", "documents: [a]", "a: !!python/object x"]
)
async def test_a_document_with_broken_labels_is_shown_to_nobody(services: Services, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "docs"
    write(folder / "a.txt", "The harbour fee is 3 euros.")
    services.ingestor.ingest(list_files([folder]), "default")
    write(folder / "_metadata.yaml", text)
    report = services.ingestor.ingest(list_files([folder]), "default")
    assert [row.code for row in report.quarantined] == [ReasonCode.BROKEN_LABELS]
    assert report.removed == 1
    assert (await services.retriever.search("harbour fee", "default", 3, OPEN)).passages == ()


@given(
    st.dictionaries(st.text(max_size=10), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))
)
def test_whatever_is_said_becomes_labels_or_a_clear_fault(said: dict[str, object]) -> None:
    try:
        found = to_labels(said, "x.yaml")
    except LabelsBroken as error:
        assert "x.yaml" in str(error)
    else:
        assert all(isinstance(value, str | int | float | bool) for value in found.attributes.values())
