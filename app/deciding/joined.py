"""The decider over a retriever: its first embedder reads sentences, its cross-encoder, where it has one, the best."""

from pathlib import Path

from app.deciding.calibration import Calibrations
from app.deciding.decide import Decider
from app.deciding.model import load
from app.deciding.signals import NAMES
from app.reading import SentenceReader
from app.settings import ChatSettings
from retrieval.rerankers.cross_encoder import CrossEncoderFusion
from retrieval.search import Retriever

_FOLDER = Path(__file__).parent
WITH_PAIRS, WITHOUT_PAIRS = _FOLDER / "weights.json", _FOLDER / "weights-light.json"


def decider(home: Path, settings: ChatSettings, retriever: Retriever) -> Decider:
    """Join the parts; nothing is loaded but the weights of the decision."""
    first, reranker = retriever.embedders[0], retriever.reranker
    scorer = reranker.scorer if isinstance(reranker, CrossEncoderFusion) else None
    model = load(WITH_PAIRS if scorer else WITHOUT_PAIRS, NAMES)
    read_by = f"{first.fingerprint} + {scorer.fingerprint}" if scorer else first.fingerprint
    return Decider(
        reader=SentenceReader(first.embed_passages, scorer, cosine_part=first.name),
        model=model,
        executor=retriever.executor,
        calibrations=Calibrations(home / "calibrations", f"decision {model.version}, {read_by}", settings.risk_target),
        threshold=settings.min_answerable,
        clarifies=settings.clarify,
    )
