"""Assay as a LlamaIndex query engine: the answer with its claims, each with the characters that support it.

python examples/llama_index_answers.py "How should time-series data be split?" [CORPUS]
"""

import sys

from app.bootstrap import build
from app.joining.serving import serving
from app.llama import query_engine
from app.settings import load_settings


def main() -> None:
    question, corpus = (*sys.argv[1:], "handbook")[:2]
    services = build(load_settings(corpus=corpus))
    try:
        response = query_engine(serving(services).answers, corpus).query(question)
        print(response)
        for source in response.source_nodes:
            said = source.node.metadata
            claim = str(response)[said["claim_start"] : said["claim_end"]]
            print(f"{claim!r}\n  <- {said['uri']} [{said['start']}:{said['end']}] of snapshot {said['snapshot']}")
    finally:
        services.close()


if __name__ == "__main__":
    main()
