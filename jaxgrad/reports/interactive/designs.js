"use strict";
// Menus choose what the axes and the colours stand for, ticks which designs are drawn; points and the table's rows know
// each other.
const TICKED = 12;  // values of a parameter, up to which each can be ticked
const CROWD = 3000;  // points, from which on they are drawn as one picture
for (const place of document.querySelectorAll(".designs")) {
  const given = JSON.parse(place.querySelector("script").textContent);
  const [across, up, coloured] = ["x", "y", "colour"].map((name) => place.querySelector(`select[name=${name}]`));
  const chart = place.querySelector(".chart"), count = place.querySelector(".count");
  const panel = place.querySelector(".picked"), values = place.querySelector(".values");
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const designs = given.columns.row.map((row, index) => {
    const design = {};
    for (const [field, column] of Object.entries(given.columns)) design[field] = column[index];
    for (const { field, values } of given.parameters) design[field] = values[design[field]];
    return design;
  });
  const byRow = new Map(designs.map((design) => [design.row, design]));
  const off = new Map(given.parameters.map(({ field }) => [field, new Set()]));
  const shown = () => designs.filter((design) => [...off].every(([field, values]) => !values.has(design[field])));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let view = null, picked = 0, drawing = Promise.resolve();

  const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seen = (colour) => colour === "#000000" ? colourOf("--text") : colour;
  const chosen = () => ({
    x: given.axes[across.selectedIndex], y: given.axes[up.selectedIndex],
    colour: given.parameters.find(({ field }) => field === coloured.value),
  });
  const placed = () => {
    const { x, y, colour } = chosen();
    return shown().map((design) => ({ ...design, x: design[x.field], y: design[y.field], colour: design[colour.field] }));
  };

  // Ticks at powers of ten alone where there are several; else Vega's, of which it labels those that have room.
  function decades(data, name) {
    const logs = data.map((design) => Math.log10(design[name])), low = Math.ceil(Math.min(...logs));
    const between = Math.floor(Math.max(...logs)) - low;
    return between >= 2 ? { values: Array.from({ length: between + 1 }, (_, index) => 10 ** (low + index)) } : {};
  }

  async function draw() {
    const { x, y, colour } = chosen(), data = placed(), spec = structuredClone(given.spec);
    const ink = colourOf("--text"), quiet = colourOf("--quiet"), line = colourOf("--line");
    const width = chart.clientWidth, narrow = width < 500;
    spec.datasets = { designs: data };
    spec.height = narrow ? 320 : 460;
    spec.background = "transparent";
    spec.params = spec.params.map((param) => ({
      ...param, value: param.name === "stairs" ? x.spanned && y.spanned && x !== y : picked,
    }));
    spec.layer.forEach((layer, index) => {
      for (const [name, axis] of [["x", x], ["y", y]]) {
        const encoding = layer.encoding[name];
        encoding.title = axis.label;
        encoding.scale = { padding: 12, nice: false, ...axis.log ? { type: "log" } : { type: "linear", zero: false } };
        if (encoding.axis) Object.assign(encoding.axis, { tickCount: narrow ? 4 : 8 }, axis.log ? decades(data, name) : {});
      }
      if (layer.encoding.color) layer.encoding.color.scale = { domain: colour.values, range: colour.colours.map(seen) };
      if (index >= 2) layer.mark.stroke = ink;
    });
    spec.config = {
      ...spec.config, font: "system-ui, sans-serif",
      view: { stroke: line },
      axis: {
        labelColor: ink, titleColor: ink, gridColor: line, gridOpacity: 0.5, domainColor: quiet, tickColor: quiet,
        labelFontSize: 12, titleFontSize: 13, titleFontWeight: "normal",
      },
    };
    const renderer = data.length > CROWD ? "canvas" : "svg";
    // Errors alone: its warnings are of layers without a point: nothing picked, nothing on a line.
    const { view: made } = await vegaEmbed(chart, spec, { actions: false, renderer, mode: "vega-lite", logLevel: 1 });
    view?.finalize();
    view = made;
    view.addEventListener("mouseover", (_, item) => mark("under", item?.datum?.row));
    view.addEventListener("mouseout", () => mark("under"));
    view.addEventListener("click", (_, item) => { if (item?.datum?.row) pick(item.datum.row); });
    chart.dataset.drawn = `${x.field} ${y.field} ${colour.field}`;
    told(data);
  }
  // One after the other: a drawing that is overtaken would stay in place of the later one.
  const again = () => { drawing = drawing.then(draw); };

  function told(data) {
    const optimal = data.filter(({ optimal }) => optimal).length;
    count.textContent = `${data.length.toLocaleString("en")} points, ${optimal.toLocaleString("en")} of them outlined`;
  }

  function refresh() {
    drawing = drawing.then(async () => {
      const data = placed();
      await view.data("designs", data).runAsync();
      told(data);
    });
  }

  // Rows of the section's table, in each part of a wide one.
  const bodies = [...place.closest("section").querySelector(".data")?.querySelectorAll("tbody") ?? []];
  const rows = new Map(given.listed.map((index, at) => [designs[index].row, bodies.map((body) => body.rows[at])]));
  for (const [row, [first]] of rows) {
    const cell = first.cells[0];
    cell.replaceChildren(make("button", {
      type: "button", className: "row", textContent: cell.textContent, title: "Show it in the chart",
      onclick: () => pick(row),
    }));
    for (const part of rows.get(row)) {
      part.addEventListener("mouseenter", () => ring(row));
      part.addEventListener("mouseleave", () => ring(picked));
    }
  }
  function mark(kind, row) {
    for (const element of bodies.flatMap((body) => [...body.querySelectorAll(`.${kind}`)])) element.classList.remove(kind);
    for (const element of rows.get(row) ?? []) element.classList.add(kind);
  }
  const ring = (row) => view?.signal("picked", row).runAsync();
  function pick(row) {
    picked = row;
    ring(row);
    mark("chosen", row);
    const design = byRow.get(row);
    panel.replaceChildren(make("dl", {}, ...Object.entries(given.told).map(([field, label]) =>
      make("div", {}, make("dt", { textContent: label }), make("dd", { textContent: design[field].toLocaleString("en") })))));
  }

  // Ticks; those of the parameter that colours stand for are their legend.
  function legend() {
    const open = new Set([...values.querySelectorAll("details[open]")].map((details) => details.dataset.field));
    values.replaceChildren(...given.parameters.filter(({ several }) => several).map((parameter) => {
      const { field, label } = parameter, named = field === coloured.value;
      const swatch = (colour) => named ? [make("span", { className: "swatch", style: `background:${seen(colour)}` })] : [];
      if (parameter.values.length > TICKED) {
        if (!named) return "";
        const scale = make("span", { className: "scale", style: `background:linear-gradient(90deg,${parameter.colours})` });
        return make("p", {}, `${label}: `, parameter.values[0], scale, parameter.values.at(-1));
      }
      const ticks = parameter.values.map((value, index) => {
        const tick = make("input", { type: "checkbox", checked: !off.get(field).has(value) });
        tick.onchange = () => {
          off.get(field)[tick.checked ? "delete" : "add"](value);
          summary.textContent = heading();
          refresh();
        };
        return make("label", {}, tick, ...swatch(parameter.colours[index]), value);
      });
      const heading = () => {
        const on = parameter.values.length - off.get(field).size;
        return `${label}: ${on === parameter.values.length ? "all" : on} of ${parameter.values.length} drawn`;
      };
      const summary = make("summary", { textContent: heading() });
      const details = make("details", { open: named || open.has(field) }, summary, make("fieldset", { ariaLabel: label }, ...ticks));
      details.dataset.field = field;
      return details;
    }));
  }

  for (const { field, label } of given.axes) for (const menu of [across, up]) menu.add(new Option(label, field));
  for (const { field, label, several } of given.parameters) {
    if (several || field === given.colour) coloured.add(new Option(label, field));
  }
  [across.selectedIndex, up.selectedIndex, coloured.value] = [0, 1, given.colour];
  across.onchange = up.onchange = again;
  coloured.onchange = () => { legend(); again(); };
  dark.addEventListener("change", () => { legend(); again(); });
  legend();
  again();
}
