"""Our parts as LlamaIndex's: its query engine runs over them, and a node is the passage, character for character."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import Services
from retrieval.llama import llama_postprocessor, llama_retriever, to_node, to_passage
from retrieval.rerankers.port import KeepOrder
from retrieval.types import SHARED, Access, Passage, Scope

EXAMPLE = Path(__file__).parents[2] / "examples" / "llama_index_query_engine.py"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's own


class Backwards(KeepOrder):
    """Turns the order around."""

    def rerank(self, query: str, passages: Any) -> list[Passage]:
        return list(reversed(passages))


def example() -> Any:
    spec = importlib.util.spec_from_file_location("example", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_nodes_are_the_passages_in_their_order(corpus: Services) -> None:
    found = await corpus.retriever.search("canary traffic percent", "default", 3)
    nodes = await llama_retriever(corpus.retriever, "default", 3).aretrieve("canary traffic percent")
    assert [to_passage(node).text for node in nodes] == [passage.text for passage in found.passages]
    assert [node.score for node in nodes] == [passage.score for passage in found.passages]
    for node in nodes:
        said = node.node.metadata
        _, version = corpus.corpora.version_in(said["doc_id"], said["snapshot"])
        text = corpus.corpora.document(said["doc_id"], version).parsed.text
        assert node.node.get_content() == text[said["start"] : said["end"]]
    assert [node.node.node_id for node in nodes] == [to_node(passage).node.node_id for passage in found.passages]


def test_it_works_without_an_event_loop_too(corpus: Services) -> None:
    nodes = llama_retriever(corpus.retriever, "default", 2).retrieve("canary traffic percent")
    assert len(nodes) == 2 and "canary" in nodes[0].node.get_content().lower()


async def test_the_scope_is_the_retriever_s_and_not_the_query_s(corpus: Services) -> None:
    elsewhere = llama_retriever(corpus.retriever, "default", 3, Scope(Access("acme")))
    assert await elsewhere.aretrieve("canary traffic percent") == []
    assert SHARED != "acme"


async def test_a_reranker_gives_nodes_its_order_and_loses_none(corpus: Services) -> None:
    nodes = await llama_retriever(corpus.retriever, "default", 3).aretrieve("canary traffic percent")
    turned = llama_postprocessor(Backwards()).postprocess_nodes(nodes, query_str="q")
    assert [node.node.node_id for node in turned] == [node.node.node_id for node in reversed(nodes)]
    assert len(llama_postprocessor(Backwards(), top_n=1).postprocess_nodes(nodes, query_str="q")) == 1
    with pytest.raises(ValueError, match="needs the query"):
        llama_postprocessor(Backwards()).postprocess_nodes(nodes)


def test_the_example_s_query_engine_answers_from_our_passages(corpus: Services) -> None:
    from llama_index.core.llms import MockLLM

    engine = example().query_engine(corpus, "default", MockLLM(), KeepOrder(), k=3)
    answer = engine.query("How much traffic does a canary release get?")
    assert "A canary release sends 1 percent of the traffic" in str(answer)  # the mock repeats its prompt
    assert {source.node.metadata["uri"] for source in answer.source_nodes} >= {"canary.md"}


def test_importing_it_costs_nothing() -> None:
    import subprocess

    code = "import sys, retrieval.llama; sys.exit('llama_index' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
