"""Joins the line of a turn: who understands, searches, answers, verifies and keeps it."""

from dataclasses import replace

from app.access import SecondLook
from app.context import Surroundings
from app.conversation import RewriteByModel, Understand, weigh_history
from app.costs import load_prices
from app.deciding.joined import decider
from app.grounding.verify import Grounding
from app.highlight import Highlighter
from app.llm.extractive import Extractive
from app.llm.port import Provider
from app.llm.routes import Routes, ensure_priced, open_routes, single
from app.llm.short_circuit import ShortCircuit
from app.pipeline import ChatPipeline
from app.recording import Recorder
from app.settings import ChatSettings, Settings
from app.store.spending import DailySpending
from retrieval.search import Retriever
from retrieval.store.corpus import CorpusStore


def chat_line(
    settings: Settings,
    retriever: Retriever,
    corpora: CorpusStore,
    provider: Provider | None,
    books: tuple[Recorder, DailySpending],
) -> tuple[Routes, ChatPipeline]:
    """The line of a turn over one retriever, whose first embedder also reads sentences.

    Raises:
        ConfigError: A model's library or weights are missing, or money is limited and a model has no price.
    """
    chat, llm, (recorder, spending) = settings.chat, settings.llm, books
    executor, decides = retriever.executor, decider(settings.home, chat, retriever)
    extractive = Extractive(decides.reader, executor)
    routes, prices = single(provider) if provider else open_routes(llm, extractive), load_prices(llm.prices)
    if settings.limits_cost:
        ensure_priced(routes, prices)
    pipeline = ChatPipeline(
        retriever=retriever,
        provider=routes.answering,
        fallback=extractive,
        grounding=Grounding(chat.min_support),
        record=recorder.record,
        settings=chat,
        second_look=SecondLook(corpora, executor).permitted,
        max_tokens=llm.max_tokens,
        understand=_understand(chat, routes.rewriting, extractive),
        widen=Surroundings(corpora, retriever.reader, executor, chat.context_chars).widened,
        smaller=routes.smaller,
        short_circuit=ShortCircuit(chat.short_circuit) if chat.short_circuit else None,
        decider=decides,
        highlight=Highlighter(executor).highlight,
        prompt_tokens=llm.prompt_tokens,
        prices=prices,
    )
    models = routes.answering is not extractive or pipeline.understand is not weigh_history
    return routes, replace(pipeline, spending=spending.around) if models else pipeline


def _understand(settings: ChatSettings, provider: Provider, extractive: Extractive) -> Understand:
    if settings.rewrite == "history" or provider is extractive:  # which picks sentences and writes none
        return weigh_history
    return RewriteByModel(provider, settings.rewrite_timeout_s, settings.max_question_chars).understand
