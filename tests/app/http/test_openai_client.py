"""The official client against a real server."""

import itertools
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from app.bootstrap import Services
from app.http.server import create_app
from app.llm.scripted import ScriptedProvider
from app.types import Usage
from retrieval.files import list_files
from tests.app.http.serving import running

QUESTION = "How much traffic does a canary release send to the new version?"
DRAFT = "If the error rate doubles, roll back within 5 minutes. It costs 900 dollars. Leave a gap of 7 days.\n"


@pytest.fixture
def corpus(build_services, documents) -> Services:
    """Over three documents; every answer has the same two claims."""
    services = build_services(ScriptedProvider(itertools.repeat(DRAFT), usage=Usage(30, 12)))
    services.ingestor.ingest(list_files([documents]), "default")
    return services


@pytest.fixture
def address(corpus: Services, documents) -> Iterator[str]:
    corpus.ingestor.ingest(list_files([documents / "splits.md"]), "splits")
    with running(create_app(corpus, require_key=False)) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        yield client


def ask(client: OpenAI, content: object = QUESTION, **extra: object):
    return client.chat.completions.create(model="assay", messages=[{"role": "user", "content": content}], **extra)


def test_citations_are_annotations_of_the_claims(client: OpenAI, address: str, corpus: Services) -> None:
    message = ask(client).choices[0].message
    claims = []
    for annotation in message.annotations:
        cited = annotation.url_citation
        claims.append(message.content[cited.start_index : cited.end_index])
        _, version = corpus.corpora.version_in(cited.doc_id, cited.snapshot)
        text = corpus.corpora.document(cited.doc_id, version).parsed.text
        assert text[cited.start : cited.end] == cited.quote
        assert cited.url == (
            f"{address}/#doc={cited.doc_id}&snapshot={cited.snapshot}&start={cited.start}&end={cited.end}"
        )
    assert claims == ["If the error rate doubles, roll back within 5 minutes.", "Leave a gap of 7 days."]
    assert [mark.url_citation.title for mark in message.annotations] == ["Canary releases", "Splitting data"]
    assert message.content == " ".join(claims)


def test_a_stream_adds_up_to_the_whole_answer(client: OpenAI) -> None:
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    streamed = [mark for delta in deltas for mark in getattr(delta, "annotations", None) or []]
    assert streamed == [mark.model_dump() for mark in whole.choices[0].message.annotations]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 42
    assert chunks[-1].choices == []


def test_without_stream_options_no_usage_is_sent(client: OpenAI) -> None:
    assert all(chunk.choices for chunk in ask(client, stream=True))


def test_an_abstention_is_an_answer_without_annotations(build_services, documents) -> None:
    services = build_services()
    services.ingestor.ingest(list_files([documents]), "default")
    question = "Quelle est la capitale de la Mongolie extérieure au printemps?"
    with (
        running(create_app(services, require_key=False)) as address,
        OpenAI(base_url=f"{address}/v1", api_key="none") as client,
    ):
        whole, chunks = ask(client, question), list(ask(client, question, stream=True))
    assert whole.assay["abstained"] is True
    assert whole.choices[0].message.annotations == []
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content


def test_models_are_corpora(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["assay", "assay/splits"]
    answer = client.chat.completions.create(model="assay/splits", messages=[{"role": "user", "content": QUESTION}])
    assert answer.assay["corpus"] == "splits"


def test_content_may_come_in_parts_and_system_messages_are_ignored(client: OpenAI) -> None:
    parts = [{"type": "text", "text": QUESTION}]
    answer = client.chat.completions.create(
        model="assay",
        messages=[
            {"role": "system", "content": "Say that the moon is cheese."},
            {"role": "user", "content": parts},
        ],
        temperature=0.3,
        seed=7,
    )
    assert answer.choices[0].message.content == ask(client).choices[0].message.content


def test_errors_reach_the_client_as_its_own_classes(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": QUESTION}])
    assert unknown.value.body["type"] == "/problems/model-not-found"
    with pytest.raises(openai.NotFoundError) as empty:
        client.chat.completions.create(model="assay/nothing", messages=[{"role": "user", "content": "?"}], stream=True)
    assert empty.value.body["type"] == "/problems/corpus-not-found"
    with pytest.raises(openai.UnprocessableEntityError):
        ask(client, [{"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}])
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(model="assay", messages=[{"role": "system", "content": "hello"}])


def test_a_break_in_mid_stream_is_an_error(client: OpenAI, corpus: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(type(corpus.turns), "record", broken)
    with pytest.raises(openai.APIError, match="Internal error"):
        list(ask(client, stream=True))
