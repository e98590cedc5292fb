"use strict";
// Tables are sorted by their headers and filtered by words. A wide table stands in parts, of which each has all rows:
// what is done to one is done to all of them.
const FILTERED = 5;  // rows, from which on there is something to look for
for (const group of document.querySelectorAll(".data")) {
  const bodies = [...group.querySelectorAll("tbody")];
  const lines = [...bodies[0].rows].map((_, index) => bodies.map((body) => body.rows[index]));
  const headers = bodies.map((body) => [...body.closest("table").tHead.rows[0].cells]);
  if (lines.length < 2) continue;

  const key = (cell, numeric) => numeric ? Number(cell.dataset.value ?? NaN) : cell.textContent;
  const missing = (value) => typeof value === "number" ? Number.isNaN(value) : ["", "-"].includes(value);
  const compare = (a, b) => typeof a === "number" ? Math.sign(a - b) || 0 :
    a.localeCompare(b, undefined, { numeric: true, sensitivity: "base" });

  function sort(part, column, direction) {
    const numeric = headers[part][column].classList.contains("number"), sign = direction === "descending" ? -1 : 1;
    const keyed = lines.map((line) => ({ line, value: key(line[part].cells[column], numeric) }));
    if (direction !== "none") keyed.sort((a, b) =>
      missing(a.value) - missing(b.value) || (missing(a.value) ? 0 : sign * compare(a.value, b.value)));
    for (const { line } of keyed) line.forEach((row, at) => bodies[at].append(row));
    for (const header of headers.flat()) header.ariaSort = "none";
    headers[part][column].ariaSort = direction;
    moved();
  }
  const moved = () => group.classList.toggle("moved", lines.some(([row]) => row.hidden) ||
    headers.flat().some((header) => header.ariaSort !== "none"));

  const next = { none: "ascending", ascending: "descending", descending: "none" };
  headers.forEach((cells, part) => cells.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.ariaSort = "none";
    button.onclick = () => sort(part, column, next[header.ariaSort]);
  }));

  if (lines.length < FILTERED) continue;
  const words = lines.map((line) => line.map((row) => row.textContent).join(" ").toLowerCase());
  const bar = document.createElement("p"), label = document.createElement("label");
  const input = document.createElement("input"), shown = document.createElement("output");
  bar.className = "filter";
  input.type = "search";
  label.append("Filter rows ", input);
  bar.append(label, " ", shown);
  group.prepend(bar);
  input.oninput = () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    lines.forEach((line, index) => {
      const matches = wanted.every((word) => words[index].includes(word));
      for (const row of line) row.hidden = !matches;
      count += matches;
    });
    shown.textContent = `${count} of ${lines.length}; a header sorts`;
    moved();
  };
  input.oninput();
}
