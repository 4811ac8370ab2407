// The panel that shows a source with the cited characters highlighted.

import { $, el } from "./dom.js";
import { call } from "./service.js";

const CONTEXT = 60_000; // characters of a long source shown on either side of the span

let opener = null; // what had the focus before the panel opened
const documents = new Map();

// Where in its document a source stands; a path that begins with the document's own title does not repeat it.
export function place({ title, section, page }) {
  const path = (section || "").split(" > ").filter((heading, i) => i > 0 || heading !== title).join(" > ");
  return [path, page && `page ${page}`].filter(Boolean).join(" · ");
}

export async function openSource(citation, from) {
  closeSource(false);
  opener = from;
  opener?.setAttribute("aria-expanded", "true");
  $("source-title").textContent = citation.title || "Source";
  $("source-place").textContent = "Loading";
  $("source-text").replaceChildren();
  $("source").hidden = false;
  document.body.classList.add("reading");
  $("source-title").focus({ preventScroll: true });
  try {
    const query = citation.snapshot ? `?snapshot=${encodeURIComponent(citation.snapshot)}` : "";
    const path = `/v1/documents/${encodeURIComponent(citation.doc_id)}${query}`;
    if (!documents.has(path)) documents.set(path, await (await call(path)).json());
    if (opener === from) showSource(documents.get(path), citation);
  } catch (error) {
    $("source-place").textContent = `${error.title ?? "The source cannot be shown"}. ${error.message}`;
  }
}

function showSource(source, { start, end }) {
  const text = Array.from(source.text); // offsets count code points; JavaScript's own indices count UTF-16 units
  const marked = Number.isInteger(start) && start >= 0 && start < end && end <= text.length;
  const [from, to] = marked ? [Math.max(0, start - CONTEXT), Math.min(text.length, end + CONTEXT)] : [0, Math.min(text.length, 2 * CONTEXT)];
  const page = marked && source.pages.find((span) => span.start <= start && start < span.end)?.label;
  $("source-title").textContent = source.title;
  $("source-place").textContent = [place({ title: source.title, section: marked && sectionAt(source.sections, start), page }), source.uri, marked ? `characters ${start}–${end}` : ""].filter(Boolean).join(" · ");

  const headings = source.sections
    .map((section) => ({ start: section.start, end: section.start + Array.from(section.title).length, title: section.title }))
    .filter((heading) => text.slice(heading.start, heading.end).join("") === heading.title);
  const cuts = new Set([from, to, ...headings.flatMap((heading) => [heading.start, heading.end]), ...(marked ? [start, end] : [])]);
  const points = [...cuts].filter((point) => point >= from && point <= to).sort((a, b) => a - b);
  const pieces = points.slice(1).map((stop, i) => {
    const at = points[i];
    const className = headings.some((heading) => heading.start <= at && at < heading.end) ? "heading" : "";
    return el(marked && start <= at && at < end ? "mark" : "span", { className }, text.slice(at, stop).join(""));
  });
  const cut = (shown) => (shown ? [el("span", { className: "cut" }, "\n… the rest of this long document is not shown …\n")] : []);
  $("source-text").replaceChildren(...cut(from > 0), ...pieces, ...cut(to < text.length));
  $("source-text").scrollTop = 0;
  const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches && $("source-text").scrollHeight < 20_000;
  $("source-text").querySelector("mark")?.scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "auto" });
}

function sectionAt(sections, offset) {
  let path = [];
  for (const section of sections) {
    if (section.start > offset) break;
    path = [...path.filter((above) => above.level < section.level), section];
  }
  return path.map((section) => section.title).join(" > ");
}

export function closeSource(giveBackFocus = true) {
  if ($("source").hidden) return;
  $("source").hidden = true;
  document.body.classList.remove("reading");
  opener?.setAttribute("aria-expanded", "false");
  if (giveBackFocus) (opener ?? $("question")).focus();
  opener = null;
}

export function openFromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.has("doc")) {
    openSource({ doc_id: wanted.get("doc"), snapshot: wanted.get("snapshot"), start: Number(wanted.get("start")), end: Number(wanted.get("end")) }, null);
  }
}
