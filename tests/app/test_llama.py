"""Verified answers as LlamaIndex's query engine: a node is a citation, with the words of the answer that it carries."""

import hashlib
import re
from pathlib import Path

import pytest

from app.bootstrap import Services
from app.llama import query_engine
from app.llm.scripted import ScriptedProvider
from app.types import ChatRequest
from retrieval.types import Access, Scope
from tests.conftest import Build

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's own
DRAFT = "If the error rate doubles, roll back within 5 minutes. It costs 900 dollars. Leave a gap of 7 days."
QUESTION = "How is a canary rolled back?"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def scripted(build_services: Build, corpus: Services) -> Services:
    return build_services(ScriptedProvider([DRAFT] * 3))


async def test_source_nodes_are_the_citations_of_the_claims(scripted: Services) -> None:
    response = await query_engine(scripted.pipeline, "default").aquery(QUESTION)
    result = await scripted.pipeline.run(ChatRequest(QUESTION))
    assert str(response) == result.answer
    citations = [(claim, citation) for claim in result.claims for citation in claim.citations]
    assert len(response.source_nodes) == len(citations) == 2
    for node, (claim, citation) in zip(response.source_nodes, citations, strict=True):
        said = node.node.metadata
        assert node.node.get_content() == citation.quote
        assert str(response)[said["claim_start"] : said["claim_end"]] == claim.text == said["claim"]
        assert (said["doc_id"], said["snapshot"], said["start"], said["end"]) == (
            citation.doc_id, citation.snapshot, citation.start, citation.end,
        )  # fmt: skip
        assert said["quote_sha256"] == hashlib.sha256(citation.quote.encode()).hexdigest()
        assert (node.score, said["verdict"]) == (claim.support, "supported")
    assert response.metadata["action"] == "answer" and response.metadata["snapshot"] == result.snapshot


def test_an_abstention_has_no_sources_and_it_works_without_an_event_loop(scripted: Services) -> None:
    stranger = Scope(Access("acme"))
    response = query_engine(scripted.pipeline, "default", stranger).query(QUESTION)
    assert response.source_nodes == [] and response.metadata["abstained"] is True


def test_the_example_of_the_docs_runs(scripted: Services, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "llama-index.md").read_text("utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "query_engine(" in block and "app.llama" in block]
    exec(example.replace('"handbook"', '"default"'), {"services": scripted})
    shown = capsys.readouterr().out
    assert "roll back within 5 minutes" in shown and "canary.md" in shown
