// Keys only: everything works without this file.
const words = (element) => element.matches("input, textarea, select, [contenteditable]");
const cases = [...document.querySelectorAll("a.case")];

function step(by) {
  const link = document.querySelector(by > 0 ? "a[rel=next]" : "a[rel=prev]");
  if (link) return link.click();
  if (!cases.length) return;
  const at = cases.indexOf(document.activeElement);
  cases[Math.min(Math.max(at + by, 0), cases.length - 1)].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || words(event.target)) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (/^[1-6]$/.test(event.key)) document.querySelectorAll("#label button[name=cause]")[event.key - 1]?.click();
});
