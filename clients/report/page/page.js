"use strict";

const specs = document.getElementById("specs");
if (specs) {
  for (const [key, spec] of Object.entries(JSON.parse(specs.textContent))) {
    vegaEmbed(document.querySelector(`[data-chart="${key}"]`), spec, { actions: false, renderer: "svg" });
  }
}

// What is not known stands last, whichever way a column is sorted.
function compare(one, other, up) {
  if (one === other) return 0;
  if (one === "") return 1;
  if (other === "") return -1;
  const apart = isNaN(one) || isNaN(other) ? one.localeCompare(other) : one - other;
  return up ? apart : -apart;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(each => each.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = row => row.cells[place].dataset.key;
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => compare(key(a), key(b), up)));
  }));
}

// What is folded up cannot be unfolded on paper.
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(each => (each.open = true)));

const buttons = [...document.querySelectorAll("[data-show]")];
for (const button of buttons) {
  button.addEventListener("click", () => {
    buttons.forEach(each => each.setAttribute("aria-pressed", String(each === button)));
    for (const figure of document.querySelectorAll("figure[data-version]")) {
      figure.hidden = figure.dataset.version !== button.dataset.show;
    }
  });
}
