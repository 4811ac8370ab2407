"""A citation is the same through every door, and can be opened after its document has changed."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from app.bootstrap import Services
from app.http.server import create_app
from app.llm.scripted import ScriptedProvider
from app.settings import Settings
from retrieval.files import list_files
from tests.app.http.events import parse
from tests.app.http.serving import running
from tests.conftest import Build

QUESTION = "What is training-serving skew?"
DRAFT = "If the error rate doubles, roll back within 5 minutes. It costs 900 dollars. Leave a gap of 7 days.\n"
MEMBERS = {"doc_id", "uri", "title", "snapshot", "start", "end", "quote", "quote_sha256", "page", "section"}
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def scripted(build_services: Build, settings: Settings, documents: Path) -> Services:
    # The draft is the same whatever is asked, and the embedder of tests knows no meaning: nothing is left unanswered.
    chat = settings.chat.model_copy(update={"min_answerable": 0.0})
    given = settings.model_copy(update={"chat": chat})
    services = build_services(ScriptedProvider(itertools.repeat(DRAFT)), given)
    services.ingestor.ingest(list_files([documents]), "default")
    return services


@pytest.fixture
def address(scripted: Services) -> Iterator[str]:
    with running(create_app(scripted, require_key=False)) as address:
        yield address


def asked(address: str, path: str, **body: Any) -> httpx.Response:
    return httpx.post(address + path, json=body, timeout=60)


def test_all_doors_give_the_same_claims_and_citations(address: str) -> None:
    whole = asked(address, "/v1/chat", question=QUESTION).json()
    assert whole["claims"]
    assert all(set(citation) == MEMBERS for claim in whole["claims"] for citation in claim["citations"])
    assert [whole["answer"][claim["start"] : claim["end"]] for claim in whole["claims"]] == [
        claim["text"] for claim in whole["claims"]
    ]
    events = parse(asked(address, "/v1/chat", question=QUESTION, stream=True).text)
    assert [data for name, data in events if name == "claim"] == whole["claims"]
    assert events[-1][1]["claims"] == whole["claims"]
    (item,) = asked(address, "/v1/batch", requests=[{"question": QUESTION}]).json()["items"]
    assert item["result"]["claims"] == whole["claims"]
    messages = [{"role": "user", "content": QUESTION}]
    with OpenAI(base_url=f"{address}/v1", api_key="none") as client:
        completion = client.chat.completions.create(model="assay", messages=messages)  # type: ignore[arg-type]
        chunks = list(client.chat.completions.create(model="assay", messages=messages, stream=True))  # type: ignore[arg-type]
    message = completion.choices[0].message
    assert message.content == whole["answer"]
    assert completion.assay["claims"] == chunks[-1].assay["claims"] == whole["claims"]  # type: ignore[attr-defined,union-attr]
    marks = [annotation.model_dump() for annotation in message.annotations or []]
    streamed = [mark for chunk in chunks for mark in getattr(chunk.choices[0].delta, "annotations", None) or []]
    assert streamed == marks
    expected = [
        {**citation, "start_index": claim["start"], "end_index": claim["end"]}
        for claim in whole["claims"]
        for citation in claim["citations"]
    ]
    assert [
        {name: value for name, value in mark["url_citation"].items() if name != "url"} for mark in marks
    ] == expected


def test_a_citation_outlives_its_document(address: str, scripted: Services, documents: Path) -> None:
    first = asked(address, "/v1/chat", question=QUESTION).json()
    citation = first["claims"][0]["citations"][0]
    assert citation["uri"].endswith("canary.md")
    for text in ("# Canary releases\n\nThey are over.\n", "# Canaries\n\nA bird. If it doubles, sing for 5 minutes.\n"):
        (documents / "canary.md").write_text(text, "utf-8")
        scripted.ingestor.ingest(list_files([documents]), "default")
    now = httpx.get(f"{address}/v1/documents/{citation['doc_id']}").json()
    assert citation["quote"] not in now["text"] and now["snapshot"] != citation["snapshot"]
    then = httpx.get(f"{address}/v1/documents/{citation['doc_id']}?snapshot={citation['snapshot']}").json()
    quote = then["text"][citation["start"] : citation["end"]]
    assert quote == citation["quote"]
    assert hashlib.sha256(quote.encode()).hexdigest() == citation["quote_sha256"]
    again = asked(address, "/v1/chat", question=QUESTION).json()
    assert citation["quote"] not in again["answer"]
    history = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": first["answer"], "citations": [citation]},
    ]
    based = asked(address, "/v1/chat", question="What did you base that on?", history=history).json()
    assert based["claims"][0]["citations"] == [citation]


def test_the_official_client_can_ask_what_an_answer_was_based_on(address: str, scripted: Services) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    with OpenAI(base_url=f"{address}/v1", api_key="none") as client:
        first = client.chat.completions.create(model="assay", messages=messages).choices[0].message
        messages += [first, {"role": "user", "content": "Sources?"}]
        based = client.chat.completions.create(model="assay", messages=messages).choices[0].message
        foreign = [
            {"type": "url_citation", "url_citation": {"url": "https://example.org", "title": "x"}},
            {"type": "y"},
        ]
        messages[1] = {"role": "assistant", "content": "Made up.", "annotations": foreign}
        again = client.chat.completions.create(model="assay", messages=messages).choices[0].message
    quotes = [annotation.url_citation.quote for annotation in first.annotations or []]  # type: ignore[attr-defined]
    assert based.content == " ".join(quotes)
    assert again.content == first.content
    provider = scripted.pipeline.provider
    assert isinstance(provider, ScriptedProvider) and len(provider.history) == 2


def test_the_openai_example_of_the_docs_runs(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "http.md").read_text("utf-8"), re.DOTALL)
    examples = [block for block in blocks if "from openai import OpenAI" in block]
    assert examples
    for example in examples:
        exec(example.replace("http://127.0.0.1:8000", address), {})
    assert "roll back within 5 minutes. <- Canary releases http" in capsys.readouterr().out


def test_the_json_of_the_docs_parses() -> None:
    for block in re.findall(r"-d '(\{.*?\})'", (DOCS / "http.md").read_text("utf-8"), re.DOTALL):
        json.loads(block)
