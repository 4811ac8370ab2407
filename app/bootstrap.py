"""The only place where parts are joined."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

from app import highlight
from app.erasure import Forget
from app.errors import ConfigError
from app.joining.ending import ending
from app.joining.line import chat_line
from app.llm.port import Provider
from app.llm.routes import Routes
from app.openlineage import TurnEvents
from app.pipeline import ChatPipeline
from app.privacy import Doors
from app.recording import Recorder
from app.releases import code_sha256
from app.retention import Retention
from app.settings import Settings, load_settings, set_offline_variables
from app.signing import Keys
from app.store.database import open_database
from app.store.erasure import RemovalStores
from app.store.seal import Seal
from app.store.spending import DailySpending
from app.store.turns import KeyStore, TurnStore
from app.tokens import count_tokens
from guardrails.checks.pii import PiiPatterns
from retrieval.chunking import Chunker
from retrieval.config import IndexSettings, RerankSettings, RetrievalSettings
from retrieval.contract.gate import Gate
from retrieval.embedders.bge import BgeSmall
from retrieval.embedders.folder import FolderEmbedder
from retrieval.embedders.minilm import MiniLM
from retrieval.embedders.port import Embedder
from retrieval.errors import IndexOutdated
from retrieval.index.port import IndexStore
from retrieval.index.stores import open_index
from retrieval.ingest import Ingestor
from retrieval.publish import Publisher
from retrieval.reader import Reader
from retrieval.rerankers.cross_encoder import CrossEncoderFusion, MsMarcoMiniLM
from retrieval.rerankers.folder import FolderScorer
from retrieval.rerankers.port import KeepOrder, Reranker
from retrieval.search import Retriever
from retrieval.snapshots import Snapshots
from retrieval.store.corpus import CorpusStore
from retrieval.store.embeddings import EmbeddingCache
from retrieval.store.locks import CorpusLocks
from retrieval.store.profiles import ProfileStore
from retrieval.store.scrubs import ScrubStore
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
    routes: Routes
    turns: TurnStore
    recorder: Recorder
    spending: DailySpending
    keys: KeyStore
    events: TurnEvents
    executor: Executor
    forget: Forget
    retention: Retention
    stores: RemovalStores

    async def warm_up(self) -> None:
        """Load the models and open the index of every corpus, so that the first question waits for neither."""
        loop = asyncio.get_running_loop()
        for work in (self.retriever.warm_up, highlight.warm_up, code_sha256, lambda: count_tokens("warm up")):
            await loop.run_in_executor(self.executor, work)
        for corpus in self.corpora.corpora():
            try:
                await loop.run_in_executor(self.executor, self.reader.current, corpus)
            except IndexOutdated as error:  # the other corpora serve
                _log.warning("%s", error)

    def close(self) -> None:
        """Let go of threads and connections."""
        self.executor.shutdown(wait=True, cancel_futures=True)
        self.retriever.lookups.shutdown(wait=True, cancel_futures=True)
        self.recorder.executor.shutdown(wait=True)  # what is still to be kept is kept
        self.events.close()
        self.snapshots.publisher.indexes.close()
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
    engine = open_database(settings.home, settings.database_url)
    executor = ThreadPoolExecutor(MODEL_THREADS, thread_name_prefix="assay-model")
    embedders = (embedder,) if embedder else tuple(_embedder(name, rules) for name in rules.embedders)

    corpora = CorpusStore(engine)
    indexes = open_index(_index(settings), settings.home / "indexes")
    reader = Reader(corpora, indexes)
    lookups = ThreadPoolExecutor(MODEL_THREADS, thread_name_prefix="assay-lookup")
    retriever = _retriever(reader, embedders, (executor, lookups), rules, rerank=embedder is None)
    publisher = _publisher(rules, corpora, EmbeddingCache(engine), indexes, embedders)
    locks = CorpusLocks(settings.home / "locks", engine)
    ingestor = _ingestor(settings, publisher, ProfileStore(engine), ScrubStore(engine), locks)
    keys = Keys(settings.home / "keys")
    stores = RemovalStores.over(engine, keys)
    forget, retention = ending(settings, ingestor, stores, keys)
    ingestor = replace(ingestor, watch=forget.tombstones.watch)
    turns, events = TurnStore(engine, Seal(settings.home / "keys"), settings.chat), TurnEvents(settings.lineage)
    books = ThreadPoolExecutor(1, thread_name_prefix="assay-books")
    recorder = Recorder(turns, events, settings, books)
    spending = DailySpending(engine, books, settings.spending)
    routes, pipeline = chat_line(settings, retriever, corpora, provider, (recorder, spending))
    return Services(
        settings=settings,
        corpora=corpora,
        reader=reader,
        retriever=retriever,
        ingestor=ingestor,
        snapshots=Snapshots(corpora, publisher, locks),
        pipeline=pipeline,
        routes=routes,
        turns=turns,
        recorder=recorder,
        spending=spending,
        keys=KeyStore(engine),
        events=events,
        executor=executor,
        forget=forget,
        retention=retention,
        stores=stores,
    )


def _index(settings: Settings) -> IndexSettings:
    """The index's settings; an index in Postgres lies beside the state where it names no other place."""
    index = settings.retrieval.index
    beside = index.backend == "postgres" and index.url is None
    return index.model_copy(update={"url": settings.database_url}) if beside else index


def _publisher(
    rules: RetrievalSettings,
    corpora: CorpusStore,
    vectors: EmbeddingCache,
    indexes: IndexStore,
    embedders: tuple[Embedder, ...],
) -> Publisher:
    return Publisher(
        store=corpora,
        vectors=vectors,
        indexes=indexes,
        embedders=embedders,
        chunker=Chunker(rules.chunk_tokens, embedders[0].count_tokens),
        embed_group=rules.embed_group,
        keep_indexes=rules.keep_indexes,
    )


def _ingestor(
    settings: Settings, publisher: Publisher, profiles: ProfileStore, scrubs: ScrubStore, locks: CorpusLocks
) -> Ingestor:
    rules = settings.retrieval
    return Ingestor(
        store=publisher.store,
        publisher=publisher,
        gate=Gate(publisher.store, profiles, settings.home / "contracts"),
        open_parser=lambda: ParserPool(rules.parse, rules.parse_workers),
        locks=locks,
        settings=rules,
        scrubs=scrubs,
        doors=Doors(rules.privacy, PiiPatterns(settings.pii), settings.home / "keys"),
    )


def _retriever(
    reader: Reader,
    embedders: tuple[Embedder, ...],
    threads: tuple[Executor, Executor],
    rules: RetrievalSettings,
    *,
    rerank: bool,
) -> Retriever:
    return Retriever(
        reader,
        embedders,
        *threads,
        candidates=rules.candidates,
        weights=rules.weights,
        reranker=_reranker(rules.rerank) if rerank and rules.rerank.enabled else KeepOrder(),
        duplicate_similarity=rules.duplicate_similarity,
        diversity=rules.diversity,
        feedback=rules.rerank.feedback,
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
