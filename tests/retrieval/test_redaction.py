"""Taking spans out of a text: nothing of them stays, all else stays where the map says."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.redaction import Door, PiiPolicy, PiiSpan, Pseudonyms, placeholder, replaced
from retrieval.types import Labels, PageSpan, ParsedText, Section


class Shouts:
    """Takes runs of capitals for personal data."""

    fingerprint = "shouts"

    def find(self, text: str) -> Sequence[PiiSpan]:
        found, start = [], None
        for at, char in enumerate(text + " "):
            if char.isupper() and start is None:
                start = at
            elif not char.isupper() and start is not None:
                found.append(PiiSpan(start, at, "SHOUT"))
                start = None
        return found


def door(policy: PiiPolicy, key: bytes = b"k") -> Door:
    return Door(policy, Shouts(), key)


texts = st.text(alphabet="abX Yz\n\U0001f600é", max_size=60)
spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=6)


@given(texts, spans)
def test_the_map_leads_both_ways(text: str, places: list[tuple[int, int]]) -> None:
    given_spans = [PiiSpan(s, min(len(text), s + n), "K") for s, n in places if s < len(text)]
    redacted, offsets = replaced(text, given_spans, placeholder)
    gone = {at for span in given_spans for at in range(span.start, span.end)}
    for at, char in enumerate(text):
        there = offsets.to_redacted(at)
        if at in gone:
            assert redacted[there:].startswith("[K]")
        else:
            assert redacted[there] == char
            assert offsets.to_original(there) == at
    assert redacted.count("[K]") == len(offsets.edits)
    assert offsets.to_redacted(len(text)) == len(redacted)
    assert offsets.to_original(len(redacted)) == len(text)
    assert [offsets.to_redacted(at) for at in range(len(text) + 1)] == sorted(
        offsets.to_redacted(at) for at in range(len(text) + 1)
    )


@given(texts)
def test_headings_and_pages_move_with_the_text(text: str) -> None:
    cut = len(text) // 2
    parsed = ParsedText(text, "text/plain", "A TITLE of", "en", (Section(cut, 1, text[cut : cut + 5]),),
                        (PageSpan(0, cut, "1"), PageSpan(cut, len(text), "2")))  # fmt: skip
    scrubbed = door(PiiPolicy.REDACT).scrub(parsed, Labels(attributes={"by": "ANN x", "year": 3}), "name.txt")
    now = scrubbed.parsed
    assert not any(char.isupper() for char in now.text.replace("[SHOUT]", ""))
    assert not any(char.isupper() for char in (now.title + now.sections[0].title).replace("[SHOUT]", ""))
    assert now.pages[0].start == 0 and now.pages[0].end == now.pages[1].start and now.pages[1].end == len(now.text)
    assert now.sections[0].start == scrubbed.offsets.to_redacted(cut)
    assert scrubbed.labels.attributes == {"by": "[SHOUT] x", "year": 3}


def test_flagging_counts_and_changes_nothing() -> None:
    parsed = ParsedText("call ANN or BOB", "text/plain")
    scrubbed = door(PiiPolicy.FLAG).scrub(parsed, Labels(), "ANN.txt")
    assert (scrubbed.parsed, scrubbed.uri, scrubbed.found) == (parsed, "ANN.txt", {"SHOUT": 3})


def test_a_pseudonym_stays_the_same_within_a_tenant_and_says_nothing_without_the_key() -> None:
    ann = Pseudonyms(b"key", "acme")("NAME", "Ann  Lee")
    assert ann == Pseudonyms(b"key", "acme")("NAME", "ann lee") != Pseudonyms(b"key", "acme")("NAME", "Bob")
    assert ann != Pseudonyms(b"key", "zenith")("NAME", "Ann Lee") and ann != Pseudonyms(b"other", "acme")(
        "NAME", "Ann Lee"
    )


def test_policies_keys_and_scrubbers_have_names_of_their_own() -> None:
    names = {door(policy).transform for policy in PiiPolicy} | {door(PiiPolicy.PSEUDONYMISE, b"other").transform}
    assert len(names) == 5 and all(len(name) <= 24 for name in names)


@pytest.mark.parametrize("spans", [[], [PiiSpan(3, 3, "K")]])
def test_nothing_found_changes_nothing(spans: list[PiiSpan]) -> None:
    text, offsets = replaced("as it was", spans, placeholder)
    assert (text, offsets.edits) == ("as it was", ())
