"use strict";
const { title, runs } = JSON.parse(document.getElementById("data").textContent);
// Okabe and Ito's colours; each with a text colour of its own, so that light and dark pages read alike.
const STATES = [
  { letter: "", label: "idle", fill: "var(--cell)", ink: "var(--ink)" },
  { letter: "dX", label: "MAC in a dX slot", fill: "#0072B2", ink: "#ffffff" },
  { letter: "dW", label: "MAC in a dW slot", fill: "#E69F00", ink: "#000000" },
  { letter: "load", label: "load: the stationary operand shifts in", fill: "#56B4E9", ink: "#000000" },
  { letter: "drain", label: "drain: the result shifts out", fill: "#009E73", ink: "#000000" },
  { letter: "pad", label: "padding of an edge tile", fill: "#BBBBBB", ink: "#000000" },
];
const MARKS = [["dx", "operand of a dX MAC, or its sum"], ["dw", "operand of a dW MAC, or its sum"],
  ["enters", "operand that enters at an edge"], ["open", "sum that lacks products"]];
const element = (id) => document.getElementById(id);
const WIDTH = 112, HEIGHT = 124, LEFT = 66, EDGE = 40, GAP = 4, LETTER = .61;  // of a font's size, a letter's width
const longest = Math.max(...runs.map((run) => run.frames.length));
element("title").textContent = title;
document.title = "jaxgrad: " + title;

function html(name, parent, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  if (parent) parent.append(node);
  return node;
}

function svg(name, attributes, parent, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

for (const state of STATES) {
  const item = html("li", element("legend")), key = html("span", item, state.letter || "\u00a0");
  key.style.background = state.fill;
  key.style.color = state.ink;
  item.append(state.label);
}
for (const [mark, label] of MARKS) {
  const item = html("li", element("legend"));
  html("td", html("tr", html("tbody", html("table", item))), "3", mark);
  item.append(label);
}

// Of a MAC at (b, k, n): the place of a matrix's element in it, and that element's name.
const placed = (run, name, term) => [...run.axes[name]].map((axis) => term["bkn".indexOf(axis)]);
const named = (run, name, term) => `${name}[${placed(run, name, term)}]`;
const at = (values, [row, col]) => values[row][col];

function matrix(run, name, values, parent) {
  const figure = html("figure", parent, undefined, "matrix"), [down, across] = run.axes[name];
  const caption = html("figcaption", figure, `${name}[${down}, ${across}] `), note = html("span", caption, "", "small");
  const table = html("table", html("div", figure)), head = html("tr", html("thead", table)), body = html("tbody", table);
  html("th", head);
  values[0].forEach((_, col) => html("th", head, col).scope = "col");
  const cells = values.map((line, row) => {
    const here = html("tr", body);
    html("th", here, row).scope = "row";
    return line.map((value) => html("td", here, value));
  });
  return { name, cells, note };
}

function panel(run) {
  const section = html("section", element("runs"));
  html("h2", section, run.schedule);
  html("p", section, run.description);
  const count = html("div", section, "", "count");
  // The same axis of cycles in every panel: what the top left PE does.
  const strip = svg("svg", { viewBox: "0 0 1000 20", preserveAspectRatio: "none", class: "strip", role: "img",
    "aria-label": "PE (0, 0) over all cycles" }, section);
  const width = 1000 / longest;
  run.frames.forEach((frame, cycle) =>
    svg("rect", { x: cycle * width, y: 0, width, height: 18, style: "fill:" + STATES[frame.doing[0][0]].fill }, strip));
  const line = { "vector-effect": "non-scaling-stroke", fill: "none" };
  svg("rect", { x: 0, y: 0, width: run.frames.length * width, height: 18, stroke: "var(--line)", ...line }, strip);
  const cursor = svg("rect", { y: 0, width: Math.max(width, 2), height: 20, stroke: "var(--ink)", "stroke-width": 3,
    ...line }, strip);
  html("div", section, "what PE (0, 0) does, cycle by cycle", "small");
  const state = html("div", section, undefined, "state");
  const right = run.frames.some((frame) => frame.right.length) ? LEFT : 8;
  const wide = LEFT + run.cols * WIDTH + right, high = 2 * EDGE + run.rows * HEIGHT;
  const array = svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", style: `min-width:${.8 * wide}px;` +
    `max-width:${1.6 * wide}px`, "aria-label": run.schedule + ": registers of every PE" },
    html("div", state, undefined, "array"));
  const cells = [];
  for (let row = 0; row < run.rows; row++) for (let col = 0; col < run.cols; col++) {
    const x = LEFT + col * WIDTH, y = EDGE + row * HEIGHT, end = x + WIDTH - GAP - 6;
    const box = svg("rect", { x, y, width: WIDTH - GAP, height: HEIGHT - GAP, rx: 5, class: "pe" }, array);
    const letter = svg("text", { x: end, y: y + 15, "font-size": 13, "font-weight": 700, "text-anchor": "end" }, array);
    const sum = svg("text", { x: x + 6, y: y + 15 }, array), product = svg("text", { x: x + 6, y: y + 31 }, array);
    const step = (HEIGHT - GAP - 40) / run.planes.length, font = Math.min(13, step);
    const values = run.planes.map((name, index) => {
      const line = y + 36 + (index + .85) * step;
      const label = svg("text", { x: x + 6, y: line, "font-size": font }, array, name.replace("_next", "\u2032"));
      const value = svg("text", { x: end, y: line, "font-size": font, "text-anchor": "end" }, array);
      return { name, label, value };
    });
    cells.push({ row, col, box, letter, sum, product, values });
  }
  const words = svg("g", {}, array), beside = html("div", state, undefined, "matrices");
  const operands = Object.entries(run.operands).map(([name, values]) => matrix(run, name, values, beside));
  const sums = Object.keys(run.products).filter((name) => run.frames.some((frame) =>
    frame.terms.some((line, row) => line.some((term, col) => term && result(frame, row, col) === name))));
  const results = sums.map((name) => matrix(run, name, blank(run, name), beside));
  return { run, section, count, cursor, cells, words, width, operands, results };
}

const result = (frame, row, col) => STATES[frame.doing[row][col]].letter;
function sizes(run) {
  const lengths = {};
  for (const [name, values] of Object.entries(run.operands))
    [values.length, values[0].length].forEach((length, index) => lengths[run.axes[name][index]] = length);
  return lengths;
}
function blank(run, name) {
  const [rows, cols] = [...run.axes[name]].map((axis) => sizes(run)[axis]);
  return Array.from({ length: rows }, () => Array(cols).fill(""));
}

// What every MAC up to a cycle has added up, of each sum, and how many there were.
function added(run, until) {
  const sums = {};
  for (const name of Object.keys(run.products))
    sums[name] = blank(run, name).map((line) => line.map(() => ({ value: 0, terms: 0 })));
  for (const frame of run.frames.slice(0, until + 1))
    frame.terms.forEach((line, row) => line.forEach((term, col) => {
      if (!term) return;
      const name = result(frame, row, col), sum = at(sums[name], placed(run, name, term));
      const factors = run.products[name].map((operand) => at(run.operands[operand], placed(run, operand, term)));
      sum.value += factors[0] * factors[1];
      sum.terms += 1;
    }));
  return sums;
}

function write(node, text, most) {
  node.textContent = text;
  node.setAttribute("font-size", Math.min(12, most / (LETTER * Math.max(1, text.length))));
}

function draw(view, cycle) {
  const { run } = view, last = run.frames.length - 1, over = cycle > last, frame = run.frames[Math.min(cycle, last)];
  const end = run.frames[last], room = WIDTH - GAP - 12;
  view.section.classList.toggle("done", over);
  view.count.textContent = (over ? "done after " : "cycle ") + (Math.min(cycle, last) + 1) + (over ? " cycles" :
    " of " + (last + 1)) + `; dY reads ${frame.dy_reads} of ${end.dy_reads}; MACs ${frame.macs} of ${end.macs}`;
  view.cursor.setAttribute("x", Math.min(cycle, last) * view.width);
  for (const { row, col, box, letter, sum, product, values } of view.cells) {
    const now = STATES[frame.doing[row][col]], term = frame.terms.length ? frame.terms[row][col] : 0;
    box.style.fill = now.fill;
    letter.textContent = term ? "" : now.letter;
    write(sum, term ? named(run, now.letter, term) + " +=" : "", room);
    write(product, term ? run.products[now.letter].map((name) => named(run, name, term)).join("\u00b7") : "", room);
    letter.style.fill = sum.style.fill = product.style.fill = now.ink;
    for (const { name, label, value } of values) {
      const plane = frame.planes[name];
      value.textContent = plane ? plane[row][col] : "\u2013";
      label.style.fill = value.style.fill = now.ink;
    }
  }
  mark(view, frame, Math.min(cycle, last), over);
  view.words.replaceChildren();
  if (!over) edges(view, frame);
}

function mark(view, frame, cycle, over) {
  const { run } = view, sums = added(run, cycle), use = {};
  const note = (name, place, mark) => ((use[name] ??= {})[place] ??= new Set()).add(mark);
  if (!over) {
    frame.terms.forEach((line, row) => line.forEach((term, col) => {
      const name = term && result(frame, row, col);
      if (term) for (const one of [name, ...run.products[name]]) note(one, placed(run, one, term), name.toLowerCase());
    }));
    for (const word of [...frame.left, ...frame.top])
      if (word.element && word.read) note(word.name, word.element, "enters");
  }
  const marks = (name, row, col) => [...(use[name]?.[[row, col]] ?? [])];
  for (const { name, cells } of view.operands)
    cells.forEach((line, row) => line.forEach((cell, col) => { cell.className = marks(name, row, col).join(" "); }));
  for (const { name, cells, note } of view.results) {
    const axis = [..."bkn"].find((letter) => !run.axes[name].includes(letter)), all = sizes(run)[axis];
    let complete = 0;
    cells.forEach((line, row) => line.forEach((cell, col) => {
      const { value, terms } = sums[name][row][col];
      cell.textContent = terms ? value : "\u00b7";
      cell.title = `${terms} of ${all} products`;
      cell.className = [...marks(name, row, col), ...(terms < all ? ["open"] : [])].join(" ");
      complete += terms === all;
    }));
    note.textContent = `${complete} of ${cells.length * cells[0].length} complete`;
  }
}

function edges(view, frame) {
  const { run } = view, high = 2 * EDGE + run.rows * HEIGHT;
  const text = (word) => word.read ? word.value : `(${word.value})`;
  const label = (word) => word.name + (word.element ? `[${word.element}]` : "");
  const side = (word, x, anchor, value) => [label(word), value].forEach((part, index) =>
    write(svg("text", { x, y: EDGE + word.lane * HEIGHT + 55 + 15 * index, "text-anchor": anchor }, view.words), part,
      LEFT - 6));
  for (const word of frame.left) side(word, LEFT - 4, "end", text(word) + " \u2192");
  for (const word of frame.right) side(word, LEFT + run.cols * WIDTH, "start", "\u2192 " + text(word));
  const lines = (words, y, step) => {
    const seen = {};
    for (const word of words) {
      const line = seen[word.lane] = (seen[word.lane] ?? -1) + 1, x = LEFT + word.lane * WIDTH + (WIDTH - GAP) / 2;
      write(svg("text", { x, y: y + line * step, "text-anchor": "middle" }, view.words),
        `${label(word)} ${text(word)} \u2193`, WIDTH - GAP);
    }
  };
  lines(frame.top, EDGE - 8, -15);
  lines(frame.bottom, high - EDGE + 14, 15);
}

// A narrow window has no room for the words and the array at once.
element("about").open = innerWidth >= 600;
const views = runs.map(panel);
let cycle = 0, timer = null;
element("cycle").max = longest - 1;
function show(wanted) {
  cycle = Math.max(0, Math.min(longest - 1, wanted));
  element("cycle").value = cycle;
  element("clock").textContent = `cycle ${cycle + 1} of ${longest}`;
  for (const view of views) draw(view, cycle);
}
function pause() { clearInterval(timer); timer = null; element("play").textContent = "play"; }
function play() {
  if (cycle === longest - 1) show(0);
  element("play").textContent = "pause";
  timer = setInterval(() => cycle < longest - 1 ? show(cycle + 1) : pause(), 1000 / Number(element("speed").value));
}
const toggle = () => timer ? pause() : play();
const step = (by) => { pause(); show(cycle + by); };
element("first").onclick = () => step(-longest);
element("last").onclick = () => step(longest);
element("back").onclick = () => step(-1);
element("next").onclick = () => step(1);
element("play").onclick = toggle;
element("cycle").oninput = (event) => { pause(); show(Number(event.target.value)); };
element("speed").onchange = () => { if (timer) { pause(); play(); } };
// A button that a mouse pressed is left again, so that space plays; one that was reached by keys keeps its own space.
element("controls").addEventListener("click", (event) => { if (event.detail) event.target.closest("button")?.blur(); });
document.addEventListener("keydown", (event) => {
  const act = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), PageUp: () => step(-10), PageDown: () => step(10),
    Home: () => step(-longest), End: () => step(longest), " ": toggle }[event.key];
  const own = event.target.tagName === "SELECT" || (event.target.tagName === "BUTTON" && event.key === " ");
  if (!act || own || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
// "#40" after the address opens the page at cycle 40.
show((Number(location.hash.slice(1)) || 1) - 1);
