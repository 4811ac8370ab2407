// Calls to the service: the key, problem documents, event streams.

import { $ } from "./dom.js";

export class Problem extends Error {
  constructor(document) {
    super(document.detail || document.title || "The service did not say why.");
    this.title = document.title || "Something went wrong";
    this.document = document;
  }
}

export const authorization = () => {
  const key = sessionStorage.getItem("assay-key");
  return key ? { Authorization: `Bearer ${key}` } : {};
};

export async function call(path, options = {}) {
  for (;;) {
    const headers = { ...options.headers, ...authorization() };
    const response = await fetch(path, { ...options, headers });
    if (response.status === 401) await askForKey();
    else if (response.ok) return response;
    else throw new Problem(await response.json().catch(() => ({ title: `The service answered ${response.status}` })));
  }
}

export const post = (path, body, signal) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

let asking = null; // one dialog at a time, whoever asks
export function askForKey() {
  asking ??= new Promise((resolve) => {
    $("key-wrong").hidden = !sessionStorage.getItem("assay-key");
    $("key-value").value = "";
    $("key").showModal();
    $("key").onclose = () => {
      const key = $("key-value").value.trim();
      if (!key) return $("key").showModal(); // Escape: nothing works without one
      sessionStorage.setItem("assay-key", key);
      asking = null;
      resolve();
    };
  });
  return asking;
}

export async function* serverEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = block.split(/\r?\n/).map((line) => line.match(/^(event|data): ?(.*)$/)).filter(Boolean);
      const data = fields.filter(([, name]) => name === "data").map(([, , text]) => text).join("\n");
      if (data) yield [fields.find(([, name]) => name === "event")?.[2], JSON.parse(data)];
    }
  }
}
