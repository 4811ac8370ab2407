"""Fit the ranking of what could be the answer within a sentence; writes app/highlight.json.

    python benchmarks/fit_highlight.py [--write]

Fitted on the tuning half of xquad_en (no article shared with the half that reports): for each question a sentence that
holds its answer, each candidate's token F1 with it, by ridge regression within the question. Prints the F1 of both
halves, with the sentence given.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from bench import interval, is_tuning, retrieval_set

import app.highlight as module
from app.deciding.asks import kind_of
from app.sentences import sentences
from evals.bench.wording import exact_match, token_f1

RIDGE = 3.0


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    bench = retrieval_set("xquad_en")
    texts = {row["id"]: row["text"] for row in bench.corpus}
    rows, values, targets, weights = [], [], [], []
    for query in bench.queries:
        text = texts[sorted(bench.qrels[query["id"]])[0]]
        holding = [text[a:b] for a, b in sentences(text) if any(answer in text[a:b] for answer in query["answers"])]
        if holding:
            rows.append((query, holding[0], module.candidates(query["text"], holding[0]), is_tuning(bench, query)))
    names = sorted({name for *_, found, _ in rows for one in found.values() for name in one})
    for query, sentence, found, tuning in rows:
        if tuning and len(found) > 1:
            x = np.array([[one[name] for name in names] for one in found.values()])
            y = np.array([token_f1(sentence[a:b], query["answers"]) for a, b in found])
            values.append(x - x.mean(axis=0))
            targets.append(y - y.mean())
            weights.append(np.full(len(y), 1 / len(y)))
    x, y, w = np.concatenate(values), np.concatenate(targets), np.concatenate(weights)
    fitted = np.linalg.solve(x.T @ (x * w[:, None]) + RIDGE * np.eye(len(names)), x.T @ (y * w))
    learned = dict(zip(names, (round(float(v), 4) for v in fitted), strict=True))
    print(json.dumps(learned, indent=1))
    if given.write:
        body = {"fitted_on": f"xquad_en, tuning half, {len(values)} questions", "weights": learned}
        Path(module.__file__).with_name("highlight.json").write_text(json.dumps(body, indent=1) + "\n", "utf-8")
    module._weights.cache_clear()
    module._weights = lambda: learned
    for name, which in (("tuning", True), ("reporting", False)):
        scores: dict[str, list[tuple[float, float, float, float]]] = {}
        for query, sentence, found, tuning in rows:
            if tuning == which:
                place = module.highlight(query["text"], sentence)
                said = sentence[place[0] : place[1]] if place else ""
                best = max((token_f1(sentence[a:b], query["answers"]) for a, b in found), default=0.0)
                row = (token_f1(said, query["answers"]), exact_match(said, query["answers"]),
                       token_f1(sentence, query["answers"]), best)  # fmt: skip
                for kind in ("all", kind_of(query["text"])):
                    scores.setdefault(kind, []).append(row)
        for kind, found_scores in scores.items():
            f1, exact, whole, best = np.mean(found_scores, axis=0)
            print(f"{name} {kind}: n={len(found_scores)} F1 {f1:.3f}, exact {exact:.3f}, whole sentence {whole:.3f},"
                  f" best candidate {best:.3f}")  # fmt: skip
    print("exact, reporting:", interval([row[1] for row in scores["all"]]))


if __name__ == "__main__":
    main()
