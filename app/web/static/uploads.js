// Documents added through the page, one after the other.

import { $, el, iconButton } from "./dom.js";
import { askForKey, authorization, Problem } from "./service.js";

let queue = Promise.resolve();
export function upload(files, done) {
  for (const file of files) {
    const said = el("span", {}, `${file.name}: waiting`);
    const bar = el("progress", { max: 1, value: 0, "aria-label": `Progress of ${file.name}` });
    const row = el("li", { className: "upload" }, said, bar);
    $("uploads").append(row);
    queue = queue.then(() => uploadOne(file, said, bar)).then(done).catch((error) => {
      said.textContent = `${file.name}: ${error.message}`;
      said.className = "wrong";
    }).finally(() => {
      bar.remove();
      row.append(iconButton("close", `Dismiss ${file.name}`, () => row.remove()));
    });
  }
}

async function uploadOne(file, said, bar) {
  const { maxUpload } = document.body.dataset;
  if (file.size > Number(maxUpload)) throw new Error(`larger than ${Math.floor(Number(maxUpload) / 1e6)} MB`);
  const form = new FormData();
  if ($("corpus").value) form.append("corpus", $("corpus").value);
  form.append("file", file);
  let report;
  while (!(report = await transfer(form, file.name, said, bar))) await askForKey();
  said.textContent = report.unchanged ? `${file.name}: known already, nothing changed` : `${file.name}: ${report.changed ? "replaced" : "added"}, ask away`;
}

// XMLHttpRequest and not fetch, which tells nothing of how far an upload is.
function transfer(form, name, said, bar) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/documents");
    for (const [header, value] of Object.entries(authorization())) request.setRequestHeader(header, value);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => {
      bar.value = loaded / total;
      said.textContent = `${name}: uploading`;
    };
    request.upload.onload = () => {
      bar.removeAttribute("value");
      said.textContent = `${name}: being read`;
    };
    request.onerror = () => reject(new Error("the service cannot be reached"));
    request.onload = () => {
      if (request.status === 401) resolve(null);
      else if (request.status < 300) resolve(request.response);
      else reject(new Problem(request.response ?? { title: `The service answered ${request.status}` }));
    };
    request.send(form);
  });
}
