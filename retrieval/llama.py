"""Our search, rerankers and answers as LlamaIndex's retriever, postprocessor and query engine.

LlamaIndex takes seconds to import, so the classes are made by the first call. Nothing global of it is set.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from retrieval.rerankers.port import Reranker
from retrieval.search import Retriever
from retrieval.types import OPEN, Found, Passage, Scope

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import NodeWithScore

    QueryEngine = BaseQueryEngine

Answer = TypeVar("Answer")


def llama_retriever(retriever: Retriever, corpus: str, k: int = 8, scope: Scope = OPEN) -> "BaseRetriever":
    """A LlamaIndex retriever over a corpus.

    Args:
        retriever: What searches.
        corpus: Where.
        k: How many nodes it gives.
        scope: Whose documents; decided here, never by a query.

    Returns:
        A `BaseRetriever`, for synchronous and asynchronous use. A node's text is the passage, character for character;
        its metadata say which characters of which document, version and snapshot they are, and each part's score.
    """
    made: BaseRetriever = _classes()[0](retriever, corpus, k, scope)
    return made


def llama_postprocessor(reranker: Reranker, top_n: int | None = None) -> "BaseNodePostprocessor":
    """One of our rerankers as LlamaIndex's postprocessor.

    Args:
        reranker: What gives the nodes of `llama_retriever` a better order. Other nodes are taken as plain passages.
        top_n: How many nodes are kept; None keeps all.
    """
    made: BaseNodePostprocessor = _classes()[1](reranker=reranker, top_n=top_n)
    return made


@dataclass(frozen=True, slots=True)
class Sourced:
    """An answer with the characters that it cites, as passages, each with what else is to be told of it."""

    text: str
    sources: Sequence[tuple[Passage, Mapping[str, Any]]]
    metadata: Mapping[str, Any]


def llama_query_engine(answer: Callable[[str], Awaitable[Sourced]]) -> "BaseQueryEngine":
    """A LlamaIndex query engine over whatever answers; `app.llama.query_engine` makes one of a pipeline.

    Returns:
        A `BaseQueryEngine`, for synchronous and asynchronous use. A source node of its response is one citation.
    """
    made: BaseQueryEngine = _engine()(answer)
    return made


def to_node(passage: Passage, also: Mapping[str, Any] | None = None) -> "NodeWithScore":
    """A passage as LlamaIndex has it, with `also` in its metadata. The same passage has the same id everywhere."""
    from llama_index.core.schema import NodeWithScore, TextNode

    metadata = {
        "doc_id": passage.doc_id,
        "uri": passage.uri,
        "title": passage.title,
        "snapshot": passage.snapshot,
        "start": passage.start,
        "end": passage.end,
        "page": passage.page,
        "section": passage.section,
        "parts": dict(passage.parts),
        **(also or {}),
    }
    node = TextNode(
        id_=f"{passage.snapshot}:{passage.doc_id}:{passage.start}-{passage.end}",
        text=passage.text,
        metadata=metadata,
        start_char_idx=passage.start,
        end_char_idx=passage.end,
        # What a model is shown beside the text: numbers and hashes would only cost tokens.
        excluded_llm_metadata_keys=[name for name in metadata if name not in ("title", "section", "page")],
        excluded_embed_metadata_keys=list(metadata),
    )
    return NodeWithScore(node=node, score=passage.score)


def to_passage(found: "NodeWithScore") -> Passage:
    """A node as a passage: one of ours as it was, another one as a text without a place."""
    node, said = found.node, found.node.metadata
    text = str(node.get_content())
    return Passage(
        doc_id=str(said.get("doc_id", node.node_id)),
        uri=str(said.get("uri", node.node_id)),
        title=str(said.get("title", "")),
        snapshot=str(said.get("snapshot", "")),
        start=int(said.get("start", 0)),
        end=int(said.get("end", len(text))),
        text=text,
        page=said.get("page"),
        section=said.get("section"),
        score=float(found.score or 0.0),
        parts=dict(said.get("parts", {})),
    )


def _waited(work: Coroutine[Any, Any, Answer]) -> Answer:
    """LlamaIndex's own bridge from its synchronous calls to asynchronous ones."""
    from llama_index.core.async_utils import asyncio_run

    answer: Answer = asyncio_run(work)
    return answer


@cache
def _engine() -> Any:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.base.response.schema import Response
    from llama_index.core.schema import QueryBundle

    class AssayQueryEngine(BaseQueryEngine):  # type: ignore[misc]  # LlamaIndex is not followed
        """Answers whose source nodes are citations."""

        def __init__(self, answer: Callable[[str], Awaitable[Sourced]]) -> None:
            super().__init__(callback_manager=None)
            self._answer = answer

        def _get_prompt_modules(self) -> dict[str, Any]:
            return {}

        def _query(self, query_bundle: QueryBundle) -> Response:
            return _waited(self._aquery(query_bundle))

        async def _aquery(self, query_bundle: QueryBundle) -> Response:
            said = await self._answer(query_bundle.query_str)
            nodes = [to_node(passage, also) for passage, also in said.sources]
            return Response(said.text, source_nodes=nodes, metadata=dict(said.metadata))

    return AssayQueryEngine


@cache
def _classes() -> tuple[Any, Any]:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.bridge.pydantic import ConfigDict
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import NodeWithScore, QueryBundle

    class AssayRetriever(BaseRetriever):  # type: ignore[misc]  # LlamaIndex is not followed
        """Passages of a corpus as nodes, best first."""

        def __init__(self, retriever: Retriever, corpus: str, k: int, scope: Scope) -> None:
            super().__init__()
            self._retriever, self._corpus, self._k, self._scope = retriever, corpus, k, scope

        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return _waited(self._aretrieve(query_bundle))

        async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            asked = self._retriever.search(query_bundle.query_str, self._corpus, self._k, self._scope)
            found: Found = await asked
            return [to_node(passage) for passage in found.passages]

    class AssayPostprocessor(BaseNodePostprocessor):  # type: ignore[misc]  # LlamaIndex is not followed
        """Nodes in the reranker's order, with its scores."""

        model_config = ConfigDict(arbitrary_types_allowed=True)
        reranker: Any
        top_n: int | None = None

        @classmethod
        def class_name(cls) -> str:
            """What LlamaIndex calls it."""
            return "AssayPostprocessor"

        def _postprocess_nodes(
            self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
        ) -> list[NodeWithScore]:
            if query_bundle is None:
                raise ValueError("a reranker needs the query: pass query_bundle or query_str")
            best = sorted(nodes, key=lambda node: -float(node.score or 0.0))
            passages = [to_passage(node) for node in best]
            # Rerankers give passages back with other scores: the snapshot's place is lent to tell them apart.
            numbered = [replace(passage, snapshot=str(number)) for number, passage in enumerate(passages)]
            ranked = self.reranker.rerank(query_bundle.query_str, numbered)
            return [NodeWithScore(node=best[int(p.snapshot)].node, score=p.score) for p in ranked][: self.top_n]

    return AssayRetriever, AssayPostprocessor
