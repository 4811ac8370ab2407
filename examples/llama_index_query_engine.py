"""A LlamaIndex query engine over Assay's search: our retriever, our reranker, any LLM of LlamaIndex.

    python examples/llama_index_query_engine.py "How should time-series data be split?" [CORPUS]

The LLM here only repeats its prompt, so that the example runs offline. Put your own in its place.
"""

import sys

from llama_index.core.llms import LLM, MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer

from app.bootstrap import Services, build
from app.settings import load_settings
from retrieval.llama import llama_postprocessor, llama_retriever
from retrieval.rerankers.port import Reranker


def query_engine(services: Services, corpus: str, llm: LLM, reranker: Reranker, k: int = 8) -> RetrieverQueryEngine:
    """Retrieve `k` passages, rerank them, let the LLM write an answer from the best three."""
    return RetrieverQueryEngine(
        retriever=llama_retriever(services.retriever, corpus, k),
        response_synthesizer=get_response_synthesizer(llm=llm, response_mode=ResponseMode.COMPACT),
        node_postprocessors=[llama_postprocessor(reranker, top_n=3)],
    )


def main() -> None:
    question, corpus = (*sys.argv[1:], "handbook")[:2]
    services = build(load_settings(corpus=corpus))
    try:
        engine = query_engine(services, corpus, MockLLM(max_tokens=60), services.retriever.reranker)
        answer = engine.query(question)
        print(answer)
        for source in answer.source_nodes:
            said = source.node.metadata
            print(f"{source.score:.3f}  {said['uri']} [{said['start']}:{said['end']}] of snapshot {said['snapshot']}")
    finally:
        services.close()


if __name__ == "__main__":
    main()
