"""The only place where parts are joined."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

from app.access import SecondLook
from app.erasure import Forget
from app.errors import ConfigError
from app.grounding import Grounding
from app.intents import Intents
from app.llm.extractive import Extractive
from app.llm.port import Provider
from app.pipeline import ChatPipeline, Record
from app.receipts import Receipts
from app.retention import Retention
from app.settings import LLMSettings, Settings, load_settings, set_offline_variables
from app.signing import Keys
from app.store.database import open_database
from app.store.erasure import RemovalStores
from app.store.turns import KeyStore, TurnStore
from app.types import ChatResult
from retrieval.chunking import Chunker
from retrieval.config import RerankSettings, RetrievalSettings
from retrieval.contract.gate import Gate
from retrieval.embedders.bge import BgeSmall
from retrieval.embedders.folder import FolderEmbedder
from retrieval.embedders.minilm import MiniLM
from retrieval.embedders.port import Embedder
from retrieval.erasure import Eraser
from retrieval.errors import IndexOutdated
from retrieval.index.port import IndexStore
from retrieval.index.stores import open_index
from retrieval.ingest import Ingestor
from retrieval.publish import Publisher
from retrieval.rerankers.cross_encoder import CrossEncoderFusion, MsMarcoMiniLM
from retrieval.rerankers.folder import FolderScorer
from retrieval.rerankers.port import KeepOrder, Reranker
from retrieval.retention import SnapshotRetention
from retrieval.search import Reader, Retriever
from retrieval.snapshots import Snapshots
from retrieval.store.corpus import CorpusStore
from retrieval.store.embeddings import EmbeddingCache
from retrieval.store.profiles import ProfileStore
from retrieval.workers import ParserPool

_log = logging.getLogger(__name__)

MODEL_THREADS = 2
"""Model calls at once: each already uses every core, a second one fills the gaps of the first."""

EMBEDDERS: Mapping[str, Callable[[], Embedder]] = {"minilm": MiniLM, "bge": BgeSmall}


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a door needs, joined."""

    settings: Settings
    corpora: CorpusStore
    reader: Reader
    retriever: Retriever
    ingestor: Ingestor
    snapshots: Snapshots
    pipeline: ChatPipeline
    turns: TurnStore
    keys: KeyStore
    executor: Executor
    forget: Forget
    retention: Retention

    async def warm_up(self) -> None:
        """Load the models and open the index of every corpus, so that the first question waits for neither."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.executor, self.retriever.warm_up)
        for corpus in self.corpora.corpora():
            try:
                await loop.run_in_executor(self.executor, self.reader.current, corpus)
            except IndexOutdated as error:  # the other corpora serve
                _log.warning("%s", error)

    def close(self) -> None:
        """Let go of threads and connections."""
        self.executor.shutdown(wait=True, cancel_futures=True)
        self.corpora.close()


def build(
    settings: Settings | None = None, *, embedder: Embedder | None = None, provider: Provider | None = None
) -> Services:
    """Join the parts. Cheap: models are loaded by their first use, or by `Services.warm_up`.

    Args:
        settings: By default what `assay.yaml` and `ASSAY_*` say.
        embedder: In place of the packaged models, the cross-encoder among them.
        provider: In place of the one that the settings name.

    Raises:
        ConfigError: A setting is wrong, or ASSAY_HOME cannot be used.
        ModelMissing: Weights are not installed.
    """
    set_offline_variables()
    settings = settings or load_settings()
    rules = settings.retrieval
    engine = open_database(settings.home)
    executor = ThreadPoolExecutor(MODEL_THREADS, thread_name_prefix="assay-model")
    embedders = (embedder,) if embedder else tuple(_embedder(name, rules) for name in rules.embedders)

    corpora = CorpusStore(engine)
    indexes = open_index(rules.index, settings.home / "indexes")
    reader = Reader(corpora, indexes)
    retriever = _retriever(reader, embedders, executor, rules, rerank=embedder is None)
    ingestor, snapshots = _library(settings, corpora, EmbeddingCache(engine), ProfileStore(engine), indexes, embedders)
    keys = Keys(settings.home / "keys")
    forget, retention = _ending(settings, ingestor, RemovalStores.over(engine, keys.erasure), keys)
    ingestor = replace(ingestor, watch=forget.tombstones.watch)
    extractive = Extractive(
        embedders[0].embed_passages, executor, settings.chat.min_answerable, cosine_part=embedders[0].name
    )
    turns = TurnStore(engine, record_text=settings.chat.record_text)
    pipeline = ChatPipeline(
        retriever=retriever,
        provider=provider or _provider(settings.llm, extractive),
        fallback=extractive,
        grounding=Grounding(settings.chat.min_support),
        record=_recorder(turns, executor),
        settings=settings.chat,
        second_look=SecondLook(corpora, executor).permitted,
        max_tokens=settings.llm.max_tokens,
    )
    return Services(
        settings=settings,
        corpora=corpora,
        reader=reader,
        retriever=retriever,
        ingestor=ingestor,
        snapshots=snapshots,
        pipeline=pipeline,
        turns=turns,
        keys=KeyStore(engine),
        executor=executor,
        forget=forget,
        retention=retention,
    )


def _recorder(turns: TurnStore, executor: Executor) -> Record:
    async def record(result: ChatResult) -> None:
        await asyncio.get_running_loop().run_in_executor(executor, turns.record, result)

    return record


def _library(
    settings: Settings,
    corpora: CorpusStore,
    vectors: EmbeddingCache,
    profiles: ProfileStore,
    indexes: IndexStore,
    embedders: tuple[Embedder, ...],
) -> tuple[Ingestor, Snapshots]:
    rules = settings.retrieval
    publisher = Publisher(
        store=corpora,
        vectors=vectors,
        indexes=indexes,
        embedders=embedders,
        chunker=Chunker(rules.chunk_tokens, embedders[0].count_tokens),
        embed_group=rules.embed_group,
        keep_indexes=rules.keep_indexes,
    )
    ingestor = Ingestor(
        store=corpora,
        publisher=publisher,
        gate=Gate(corpora, profiles, settings.home / "contracts"),
        open_parser=lambda: ParserPool(rules.parse, rules.parse_workers),
        locks=settings.home / "locks",
        settings=rules,
    )

    return ingestor, Snapshots(corpora, publisher, settings.home / "locks")


def _ending(settings: Settings, ingestor: Ingestor, stores: RemovalStores, keys: Keys) -> tuple[Forget, Retention]:
    """What takes things out again: on request, and by policy."""
    home = settings.home
    eraser = Eraser(ingestor.store, stores.erasures, ingestor.publisher, ingestor.gate, home / "locks")
    forget = Forget(
        home=home,
        eraser=eraser,
        tombstones=stores.tombstones,
        turns=stores.turns,
        database=stores.database,
        intents=Intents(home / "erasures", keys),
        receipts=Receipts(home / "receipts", keys),
    )
    return forget, Retention(settings.retention, SnapshotRetention(eraser), stores.turns, stores.database)


def _retriever(
    reader: Reader, embedders: tuple[Embedder, ...], executor: Executor, rules: RetrievalSettings, *, rerank: bool
) -> Retriever:
    return Retriever(
        reader,
        embedders,
        executor,
        candidates=rules.candidates,
        weights=rules.weights,
        reranker=_reranker(rules.rerank) if rerank and rules.rerank.enabled else KeepOrder(),
        duplicate_similarity=rules.duplicate_similarity,
        diversity=rules.diversity,
    )


def _embedder(name: str, rules: RetrievalSettings) -> Embedder:
    if name in rules.models:
        return FolderEmbedder(name, rules.models[name])
    if name not in EMBEDDERS:
        raise ConfigError(
            f"No embedder is called '{name}': use {', '.join(EMBEDDERS)}, or name it in retrieval.models."
        )
    return EMBEDDERS[name]()


def _reranker(rules: RerankSettings) -> Reranker:
    return CrossEncoderFusion(FolderScorer(rules.kind, rules.folder) if rules.folder else MsMarcoMiniLM(), rules)


def _provider(settings: LLMSettings, extractive: Extractive) -> Provider:
    """The provider that the settings name; its libraries are imported only here."""
    if settings.provider == "openai_compatible":
        from app.llm.openai_compatible import OpenAICompatible

        return OpenAICompatible(settings.base_url, settings.model, settings.api_key, settings.timeout_s)
    if settings.provider == "local":
        from app.llm.local import LocalLLM

        return LocalLLM(None, settings.max_tokens)
    return extractive
