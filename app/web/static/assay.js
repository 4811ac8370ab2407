// The chat page. What a model, a document or a file name says reaches the page as text nodes only, never as HTML.

import { $, el, iconButton } from "./dom.js";
import { call, post, Problem, serverEvents } from "./service.js";
import { closeSource, openFromAddress, openSource, place } from "./source.js";
import { upload } from "./uploads.js";

let history = []; // the conversation, as the next question sends it
let running = null; // the AbortController of the turn that is streaming

async function ask(question) {
  const turn = new Turn(question);
  running = new AbortController();
  busy(true);
  try {
    const corpus = $("corpus").value || undefined;
    const response = await post("/v1/chat", { question, history: recent(), corpus, stream: true }, running.signal);
    for await (const [event, data] of serverEvents(response.body)) {
      if (event === "claim") turn.claim(data);
      else if (event === "final") turn.finish({ ...data, question });
      else if (event === "error") throw new Problem(data);
    }
    if (!turn.result) throw new Problem({ title: "The answer broke off" });
    history.push({ role: "user", content: question }, { role: "assistant", content: turn.result.answer, citations: places(turn.result) });
  } catch (error) {
    if (error.name === "AbortError") turn.note("Stopped.");
    else turn.fail(error);
  } finally {
    running = null;
    busy(false);
    turn.settle();
  }
}

// Where an answer is from, for "What did you base that on?"; the service opens these places anew.
function places({ claims }) {
  const cited = claims.flatMap((claim) => claim.citations).slice(0, 50);
  return cited.map(({ doc_id, snapshot, start, end, quote_sha256 }) => ({ doc_id, snapshot, start, end, quote_sha256 }));
}

function recent() {
  const { maxMessages, maxChars } = document.body.dataset;
  const kept = Number(maxMessages) ? history.slice(-Number(maxMessages)) : [];
  const length = () => kept.reduce((sum, message) => sum + message.content.length, 0);
  while (length() > Number(maxChars)) kept.shift();
  return kept;
}

class Turn {
  constructor(question) {
    this.claims = el("p", { className: "claims" });
    this.waiting = el("span", { className: "waiting" }, "Reading");
    this.answer = el("div", { className: "answer" }, this.claims);
    this.claims.append(this.waiting);
    this.numbers = new Map(); // citation → its number, in order of appearance
    $("turns").append(el("article", { className: "turn" }, el("p", { className: "question" }, question), this.answer));
    $("empty").hidden = true;
    $("restart").hidden = false;
    $("chat").scrollTop = $("chat").scrollHeight;
  }

  claim({ text, citations, highlight }) {
    const letters = Array.from(text); // offsets count code points
    const last = letters.lastIndexOf(" ") + 1;
    const cut = letters.length - last < 24 ? last : letters.length; // a last word stays on one line with its numbers
    const tail = el("span", { className: "keep" }, ...marked(letters, cut, letters.length, highlight));
    this.waiting.before(...marked(letters, 0, cut, highlight), tail, " ");
    for (const citation of citations) {
      const key = [citation.doc_id, citation.start, citation.end].join();
      if (!this.numbers.has(key)) this.numbers.set(key, { number: this.numbers.size + 1, citation });
      const { number } = this.numbers.get(key);
      const label = `Source ${number}: ${citation.title}`;
      const button = el("button", { type: "button", className: "cite", title: label, "aria-label": label, "aria-expanded": "false" }, String(number));
      button.onclick = () => openSource(citation, button);
      tail.append(button);
    }
    this.waiting.textContent = "";
    this.show();
  }

  finish(result) {
    this.result = result;
    if (result.action === "clarify") {
      this.claims.replaceWith(el("div", { className: "abstained" }, el("h3", {}, "Which do you mean?"), el("p", {}, "Several places in these documents fit the question.")));
      this.options(result);
    } else if (result.abstained) {
      const said = result.options.length ? "The documents do not seem to answer this." : result.answer;
      this.claims.replaceWith(el("div", { className: "abstained" }, el("h3", {}, "No answer in these documents"), el("p", {}, said)));
      this.sources("Closest places, which may help:", result.passages.slice(0, 3).map((citation, i) => ({ number: i + 1, citation })));
    } else {
      this.sources("Sources", [...this.numbers.values()]);
      const against = result.claims.flatMap(({ conflicts }) => conflicts);
      this.sources("The sources do not agree. These say otherwise:", against.map((citation, i) => ({ number: this.numbers.size + i + 1, citation })));
    }
    if (result.missing.length) this.note(`Not answered by these documents: ${result.missing.join("; ")}`);
    if (result.reason === "provider_failed") this.note("The model could not be reached or broke off: what is shown was verified.");
    if (result.reason === "fell_back_to_extractive") this.note("The model's own words could not be verified, so these are sentences of the sources.");
    const count = result.dropped.length;
    if (count) this.note(`${count} ${count === 1 ? "statement was" : "statements were"} left out: no source supports ${count === 1 ? "it" : "them"}.`);
    this.answer.append(rating(result.turn_id));
  }

  sources(caption, numbered) {
    if (!numbered.length) return;
    const items = numbered.map(({ number, citation }) => {
      const where = el("span", { className: "where" }, place(citation) || citation.uri);
      const button = el("button", { type: "button", className: "ref", "aria-expanded": "false" }, el("span", { className: "number" }, String(number)), el("span", {}, citation.title, el("br"), where));
      button.onclick = () => openSource(citation, button);
      return el("li", {}, button);
    });
    this.answer.append(el("p", { className: "caption" }, caption), el("ol", { className: "refs" }, ...items));
  }

  // What could be meant; a choice asks the question again with it.
  options({ question, options }) {
    const choice = (option) => {
      const button = el("button", { type: "button", className: "example" }, option);
      button.onclick = () => !running && ask(`${option}: ${question}`) && $("question").focus();
      return el("li", {}, button);
    };
    this.answer.append(el("ul", { className: "examples" }, ...options.map(choice)));
  }

  note(text) {
    this.answer.append(el("p", { className: "note" }, text));
  }

  fail(error) {
    const title = error instanceof Problem ? error.title : "The service cannot be reached";
    const detail = error instanceof Problem ? error.message : "Check that it is running, then ask again.";
    this.answer.append(el("p", { className: "failure", role: "alert" }, el("strong", {}, title), el("br"), detail));
  }

  settle() {
    this.waiting.remove();
    if (!this.claims.textContent) this.claims.remove();
    this.show();
  }

  // Follow the answer as it grows, unless the reader has scrolled away from it.
  show() {
    const { scrollTop, clientHeight, scrollHeight } = $("chat");
    if (scrollHeight - scrollTop - clientHeight < 400) $("chat").scrollTop = scrollHeight;
  }
}

// Letters from start to end as nodes, those of the highlight in a mark.
function marked(letters, start, end, highlight) {
  const [from, to] = (highlight ?? [end, end]).map((at) => Math.min(Math.max(at, start), end));
  const text = (a, b) => letters.slice(a, b).join("");
  return [text(start, from), ...(from < to ? [el("mark", {}, text(from, to))] : []), text(to, end)].filter(Boolean);
}

function rating(turnId) {
  const said = el("span", { role: "status" });
  const box = el("div", { className: "rate" });
  const send = async (rating, note) => {
    try {
      await post("/v1/feedback", { turn_id: turnId, rating, note });
      said.textContent = "Thank you.";
    } catch (error) {
      said.textContent = `Not sent: ${error.message}`;
    }
  };
  const thumb = (rating, label) =>
    iconButton(rating, label, async (event) => {
      for (const other of box.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", String(other === event.currentTarget));
      box.querySelector("form")?.remove();
      const note = el("input", { maxLength: 2000, placeholder: "Anything to add? (optional)", "aria-label": "A note on this answer" });
      const form = el("form", {}, note, el("button", { type: "submit", className: "quiet" }, "Send"));
      form.onsubmit = async (submit) => {
        submit.preventDefault();
        form.remove();
        await send(rating, note.value.trim());
      };
      box.append(form);
      form.scrollIntoView({ block: "nearest" });
      await send(rating, "");
    });
  box.append(thumb("up", "Good answer"), thumb("down", "Bad answer"), said);
  for (const button of box.querySelectorAll("button")) button.setAttribute("aria-pressed", "false");
  return box;
}

function busy(yes) {
  $("send").hidden = yes;
  $("stop").hidden = !yes;
}

async function listCorpora() {
  const { data } = await (await call("/v1/models")).json();
  const chosen = $("corpus").value || data[0].corpus;
  $("corpus").replaceChildren(...data.map(({ corpus }) => el("option", { value: corpus, selected: corpus === chosen }, corpus)));
  $("corpus").disabled = data.length < 2;
  $("corpus").className = data.length < 2 ? "only" : "";
  $("corpus-label").hidden = false;
}

$("ask").onsubmit = (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || running) return;
  $("question").value = "";
  ask(question);
};
$("question").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("ask").requestSubmit();
  }
};
for (const example of document.querySelectorAll(".example")) {
  example.onclick = () => !running && ask(example.textContent) && $("question").focus();
}
$("stop").onclick = () => {
  running?.abort();
  $("question").focus();
};
$("restart").onclick = () => {
  running?.abort();
  history = [];
  closeSource(false);
  $("turns").replaceChildren();
  $("empty").hidden = false;
  $("restart").hidden = true;
  $("question").focus();
};
$("corpus").onchange = () => $("restart").click(); // a conversation is about one corpus
$("attach").onclick = () => $("files").click();
$("files").onchange = () => {
  upload($("files").files, listCorpora);
  $("files").value = "";
};
$("close").onclick = () => closeSource();
$("key-form").onsubmit = () => $("key").close();
addEventListener("keydown", (event) => event.key === "Escape" && !$("key").open && closeSource());
addEventListener("hashchange", openFromAddress);

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  $("drop").hidden = false;
});
addEventListener("dragleave", (event) => !event.relatedTarget && ($("drop").hidden = true));
addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  $("drop").hidden = true;
  upload(event.dataTransfer.files, listCorpora);
});

listCorpora().catch((error) => new Turn("").fail(error));
openFromAddress();
