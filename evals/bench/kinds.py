"""What `evals bench` can score. A kind is one file with one function; adding one is naming it here."""

from collections.abc import Mapping

from evals.bench.answerability import answerability
from evals.bench.answers import answers
from evals.bench.groundedness import groundedness
from evals.bench.results import Kind
from evals.bench.retrieval import retrieval

KINDS: Mapping[str, Kind] = {
    "answerability": answerability,
    "answers": answers,
    "groundedness": groundedness,
    "retrieval": retrieval,
}
