"""The pages of a review over HTTP: who gets in, what is escaped, what is refused, what is hidden."""

import json
import re

import httpx
import pytest

from app.http.local_page import MAX_BODY_BYTES, local_app
from evals.review.audit import read_entries
from evals.review.pages import STATIC
from evals.review.room import ReviewRoom
from tests.app.http.serving import running
from tests.evals.review.conftest import HOSTILE, TEST_QUESTION, TOKEN, Sit, Tags, World, hidden

CASE_FIELDS = {
    "kind": "answerable", "severity": "major", "action": "answer", "question": "How fast is a roll-back?",
    "answers": "5 minutes\nfive minutes", "must": "", "must_not": "", "evidence-0-uri": "canary.md",
    "evidence-0-quote": "If errors double, roll back within 5 minutes.",
}  # fmt: skip


def test_the_link_works_once_and_becomes_a_cookie(room: str) -> None:
    with httpx.Client(base_url=room) as first, httpx.Client(base_url=room) as second:
        assert first.get("/").status_code == 403
        assert first.get("/", params={"token": "wrong"}).status_code == 403
        let_in = first.get("/", params={"token": TOKEN})
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/")
        assert "HttpOnly" in let_in.headers["set-cookie"] and "SameSite=strict" in let_in.headers["set-cookie"]
        assert TOKEN not in let_in.headers["set-cookie"]
        assert first.get("/").status_code == 200
        assert second.get("/", params={"token": TOKEN}).status_code == 403
        assert second.get("/static/review.js").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_names_for_this_machine_are_refused(room: str, client: httpx.Client, host: str) -> None:
    answer = client.get("/", headers={"host": host})
    assert (answer.status_code, "cases" in answer.text) == (421 if answer.status_code == 421 else 403, False)


def test_headers_forbid_everything_but_our_own_files(client: httpx.Client) -> None:
    for path in ("/", "/case/a-1", "/nowhere", "/static/review.js"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert "unsafe" not in headers["content-security-policy"]


def test_worst_misses_come_first_and_test_cases_never(client: httpx.Client) -> None:
    page = client.get("/").text
    assert re.findall(r'class="case" href="/case/([\w-]+)', page) == ["a-2", "a-1", "a-3"]
    assert TEST_QUESTION not in page and client.get("/case/t-1").status_code == 404


def test_a_case_that_became_test_since_is_not_shown(world: World, sit: Sit) -> None:
    path = world.folder / "cases.jsonl"
    moved = world.line("a-1").replace('"split": "dev"', '"split": "test"')
    path.write_text(path.read_text("utf-8").replace(world.line("a-1"), moved), "utf-8")
    assert [row.case.id for row in sit().rows] == ["a-2", "a-3"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("show=misses", ["a-2", "a-1", "a-3"]),
        ("kind=unanswerable", ["a-2"]),
        ("severity=minor", ["a-3"]),
        ("slice=hostile", ["a-3"]),
        ("show=changed", ["a-1"]),
        ("cause=guard", []),
        ("kind=nonsense&show=<b>&page=999999999999", ["a-2", "a-1", "a-3"]),
    ],
)
def test_filters(client: httpx.Client, query: str, expected: list[str]) -> None:
    assert re.findall(r'class="case" href="/case/([\w-]+)', client.get(f"/?{query}").text) == expected


@pytest.mark.parametrize("path", ["/", "/case/a-3", "/trail"])
def test_hostile_words_stay_words(client: httpx.Client, path: str) -> None:
    if path == "/trail":
        fields = hidden(client, "/case/a-3", "label")
        client.post("/case/a-3/label", data={**fields, "cause": "guard", "note": HOSTILE})
    page = client.get(path).text
    found = Tags(page)
    assert found.tags.count("script") == 1 and "img" not in found.tags
    assert "&lt;script&gt;" in page and "⟨U+202E⟩" in page
    if path == "/case/a-3":
        assert found.tags.count("mark") >= 2  # the gold evidence, and where it was retrieved
        assert "</textarea><b>" not in page


def test_a_case_shows_gold_beside_what_was_retrieved(client: httpx.Client) -> None:
    page = client.get("/case/a-1").text
    assert "retrieved, passage" in page and "holds gold evidence" in page
    assert "Candidate" in page and "Baseline" in page
    assert "A canary sends 1 percent" in page and "roll back within 5 minutes" in page
    assert 'rel="next" href="/case/a-3"' in page and 'rel="prev" href="/case/a-2"' in page


def test_a_label_is_on_record(client: httpx.Client, world: World) -> None:
    fields = hidden(client, "/case/a-1", "label")
    page = client.post("/case/a-1/label?show=unlabelled", data={**fields, "cause": "grounding", "note": "wrong line"})
    assert "The label is on record." in page.text and "grounding" in page.text
    [entry] = read_entries(world.folder)
    assert (entry.who, entry.cause, entry.note, entry.run) == ("ann", "grounding", "wrong line", world.run.folder.name)
    assert re.findall(r'href="/case/(a-\d)', client.get("/?show=unlabelled").text) == ["a-2", "a-3"]
    assert re.findall(r'href="/case/(a-\d)', client.get("/?cause=grounding").text) == ["a-1"]


@pytest.mark.parametrize("cause", ["nonsense", "", "retrieval "])
def test_only_known_causes_are_labels(client: httpx.Client, world: World, cause: str) -> None:
    fields = hidden(client, "/case/a-1", "label")
    assert client.post("/case/a-1/label", data={**fields, "cause": cause}).status_code == 409
    assert read_entries(world.folder) == []


def test_a_fix_is_written_and_the_locked_cases_keep_their_bytes(client: httpx.Client, world: World) -> None:
    before = world.line("t-1"), world.line("a-2"), world.line("a-3")
    page = client.post("/case/a-1/fix", data={**hidden(client, "/case/a-1", "fix"), **CASE_FIELDS, "note": "clearer"})
    assert "The case is fixed" in page.text and "changed after this run" in page.text
    fixed = json.loads(world.line("a-1"))
    assert (fixed["question"], fixed["gold"]["answers"]) == ("How fast is a roll-back?", ["5 minutes", "five minutes"])
    assert (world.line("t-1"), world.line("a-2"), world.line("a-3")) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evidence-0-quote": "stands nowhere"}, "does not stand there"),
        ({"evidence-0-uri": "no.md"}, "no document"),
        ({"kind": "nonsense"}, "kind"),
        ({"question": " "}, "question"),
        ({"action": "abstain"}, "has no answers"),
        ({"split": "test"}, "no field split"),
        ({"gold": "{}"}, "no field gold"),
    ],
)
def test_what_would_be_no_case_is_refused_with_what_was_typed(
    client: httpx.Client, world: World, changes: dict[str, str], message: str
) -> None:
    before = world.line("a-1")
    data = {**hidden(client, "/case/a-1", "fix"), **CASE_FIELDS, "answers": "typed with care", **changes}
    answer = client.post("/case/a-1/fix", data=data)
    assert (answer.status_code, message in answer.text) == (409, True)
    if not message.startswith("no field"):
        assert "typed with care" in answer.text
    assert world.line("a-1") == before and read_entries(world.folder) == []


def test_an_untouched_form_changes_nothing_however_hostile_the_case(client: httpx.Client, world: World) -> None:
    before = world.line("a-3")
    fields = hidden(client, "/case/a-3", "fix")
    case = json.loads(before)
    data = {**fields, **CASE_FIELDS, "severity": "minor", "question": case["question"], "answers": HOSTILE}
    assert "Nothing was changed" in client.post("/case/a-3/fix", data=data).text
    assert world.line("a-3") == before


def test_two_people_cannot_overwrite_each_other(client: httpx.Client, world: World) -> None:
    fields = hidden(client, "/case/a-1", "fix")
    client.post("/case/a-1/fix", data={**fields, **CASE_FIELDS})
    late = client.post("/case/a-1/fix", data={**fields, **CASE_FIELDS, "question": "Mine?"})
    assert (late.status_code, "Someone else" in late.text) == (409, True)
    assert "Mine?" not in world.line("a-1")


def test_retiring_needs_a_reason(client: httpx.Client, world: World) -> None:
    fields = hidden(client, "/case/a-2", "retire")
    assert client.post("/case/a-2/retire", data={**fields, "reason": "no"}).status_code == 409
    page = client.post("/case/a-2/retire", data={**fields, "reason": "nobody would ask that"}).text
    assert "The case is retired" in page
    assert json.loads(world.line("a-2"))["retired"] == "nobody would ask that"


def test_forms_of_others_are_refused(client: httpx.Client, world: World, room: str) -> None:
    good = {**hidden(client, "/case/a-1", "label"), "cause": "guard"}
    for data, headers in (
        ({**good, "csrf": "forged"}, {}),
        ({"cause": "guard"}, {}),
        (good, {"origin": "https://evil.example"}),
        (good, {"origin": "null"}),
    ):
        assert client.post("/case/a-1/label", data=data, headers=headers).status_code == 403
    with httpx.Client(base_url=room, headers={"origin": room}) as stranger:
        assert stranger.post("/case/a-1/label", data=good).status_code == 403
    with httpx.Client(base_url=room, cookies=client.cookies) as silent:
        assert silent.post("/case/a-1/label", data=good).status_code == 403
    assert read_entries(world.folder) == []


def test_bodies_are_bounded_and_must_be_forms(client: httpx.Client) -> None:
    assert client.post("/case/a-1/label", data={"note": "x" * MAX_BODY_BYTES}).status_code == 413
    for body, kind in (
        (b'{"a": 1}', "application/json"),
        (b"a=1&a=2", "application/x-www-form-urlencoded"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        ("ä=1".encode(), "application/x-www-form-urlencoded"),
        (b"&".join(b"f%d=1" % n for n in range(500)), "application/x-www-form-urlencoded"),
    ):
        assert client.post("/case/a-1/label", content=body, headers={"content-type": kind}).status_code == 400


def test_a_second_reviewer_labels_blind(client: httpx.Client, sit: Sit) -> None:
    fields = hidden(client, "/case/a-1", "label")
    client.post("/case/a-1/label", data={**fields, "cause": "retrieval", "note": "ann was here"})
    with (
        running(local_app(ReviewRoom(sit("bob")).routes(), token="b", static=STATIC)) as address,
        httpx.Client(base_url=address, follow_redirects=True, headers={"origin": address}) as bob,
    ):
        bob.get("/", params={"token": "b"})
        for path in ("/", "/case/a-1", "/trail", "/?cause=retrieval"):
            page = bob.get(path).text
            assert "ann was here" not in page, path
            assert not re.search(r"Labelled</b>\s*retrieval", page), path
        assert 'aria-pressed="true"' not in bob.get("/case/a-1").text
        assert re.findall(r'href="/case/(a-\d)', bob.get("/?cause=retrieval").text) == []
        page = bob.post("/case/a-1/label", data={**hidden(bob, "/case/a-1", "label"), "cause": "guard"}).text
        assert "ann was here" in page
