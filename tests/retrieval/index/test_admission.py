"""Which rows a scope admits: the same as asking it about every row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.index.admission import SCOPES_KEPT, Admission
from retrieval.index.contents import DocumentColumn, LabelColumn, Rows
from retrieval.types import SHARED, Access, Attribute, Labels, Scope

TENANTS = st.sampled_from(["", "a", "b", SHARED])
GROUPS = st.sets(st.sampled_from("xyz")).map(lambda groups: tuple(sorted(groups)))
ATTRIBUTES: st.SearchStrategy[dict[str, Attribute]] = st.dictionaries(
    st.sampled_from(["year", "kind"]), st.sampled_from([1, 1.0, True, "1", 2026]), max_size=2
)
DOCUMENTS = st.lists(st.tuples(st.builds(Labels, TENANTS, GROUPS, ATTRIBUTES), st.integers(0, 3)), max_size=12)
SCOPES = st.builds(Scope, st.builds(Access, TENANTS, GROUPS.map(frozenset)), ATTRIBUTES)


def rows_of(documents: list[tuple[Labels, int]]) -> Rows:
    """So many chunks of each document, tenant by tenant."""
    documents = sorted(documents, key=lambda both: both[0].tenant)
    document = np.repeat(np.arange(len(documents), dtype=np.int32), [chunks for _, chunks in documents])
    start = np.arange(len(document), dtype=np.int32)
    names = [(f"{i:016}", f"{i:016}") for i in range(len(documents))]
    return Rows(DocumentColumn.of(names), LabelColumn.of([labels for labels, _ in documents]), document, start, start)


@given(DOCUMENTS, st.lists(SCOPES, min_size=1, max_size=3))
def test_a_scope_admits_what_it_admits_document_by_document(
    documents: list[tuple[Labels, int]], scopes: list[Scope]
) -> None:
    rows = rows_of(documents)
    admission = Admission.of(rows)
    for scope in [*scopes, *scopes]:  # the second time they are kept
        for tenant, first, after in rows.tenants():
            wanted = [scope.admits(rows.labels[number]) for number in rows.document[first:after]]
            allowed = admission.allowed(scope, tenant)
            assert allowed.mask.tolist() == wanted
            assert (allowed.count, allowed.everything) == (sum(wanted), all(wanted))


@given(DOCUMENTS)
def test_tenants_stand_where_their_documents_stand(documents: list[tuple[Labels, int]]) -> None:
    rows = rows_of(documents)
    found = {tenant: list(range(first, after)) for tenant, first, after in rows.tenants()}
    wanted: dict[str, list[int]] = {labels.tenant: [] for labels in rows.labels}
    for row, number in enumerate(rows.document):
        wanted[rows.labels[number].tenant].append(row)
    assert found == wanted


def test_few_scopes_are_kept() -> None:
    admission = Admission.of(rows_of([(Labels(), 1)]))
    for year in range(3 * SCOPES_KEPT):
        assert admission.allowed(Scope(where={"year": year}), "").count == 0
    assert len(admission._kept) == SCOPES_KEPT
