"""Fit the weights by which claims are judged (app/grounding/support.json), on all sources of a groundedness file.

    python -m benchmarks.fit_support ../shared/bench/groundedness/dev.jsonl.gz

What is reported of the weights is fitted without the source that is scored:
`evals bench groundedness PATH --leave-one-source-out`.
"""

import argparse
import json
from dataclasses import fields
from pathlib import Path

from app.files import write_file
from app.grounding.support import Entails, Features
from evals.bench.groundedness import ClaimRow, Reading, features_of, fit
from evals.bench.read import read_rows
from retrieval.rerankers.cross_encoder import MsMarcoMiniLM

TARGET = Path(__file__).parents[1] / "app" / "grounding" / "support.json"


def main() -> None:
    """Fit both models and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    rows = [row for _, row in read_rows(parser.parse_args().path, ClaimRow)]
    scorer = MsMarcoMiniLM()
    readers: dict[str, Entails | None] = {
        "words": None,
        "read": lambda claim, text: next(iter(scorer.scores(claim, [text]))),
    }
    models = {}
    for name, reader in readers.items():
        weights = fit([Reading(row, *features_of(row, reader), 0.0) for row in rows])
        models[name] = {
            "intercept": round(weights.intercept, 5),
            "weights": [round(weight, 5) for weight in weights.weights],
        }
    sources = sorted({row.source for row in rows})
    data = {
        "version": 1,
        "fitted_on": {"rows": len(rows), "sources": sources},
        "reader": scorer.fingerprint,
        "features": [field.name for field in fields(Features)],
        "models": models,
    }
    write_file(TARGET, (json.dumps(data, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
