// Small pieces of the page. Text is always set as text: nothing that a database holds becomes markup.

/** Make an element: el("p", {class: "x", onclick: f}, "text", child) */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const $ = (id) => document.getElementById(id);

/** Say what went wrong, above everything; nothing takes it away. */
export function banner(text) {
  $("banner").textContent = text;
  $("banner").hidden = !text;
}

export function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, label]) => el("option", { value }, label)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

/** A cell of a result; a number may carry how the server wrote it. templates/end.html makes the same of a gold. */
export function cell(value) {
  if (value === null) return el("td", { class: "null" }, "NULL");
  const isNumber = typeof value === "number" || value instanceof Number;
  const kind = isNumber ? "number" : value.length > 40 ? "long" : null;
  return el("td", { class: kind }, value.source ?? String(value));
}

export function table(columns, rows) {
  const head = el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name)));
  const body = rows.map((row) => el("tr", {}, ...row.map(cell)));
  // A region that scrolls has to be reachable by keyboard.
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Result" },
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)),
  );
}

export function verb(action) {
  return el("span", { class: `verb ${action.toLowerCase()}` }, action);
}

export const signed = (number) => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2);

const WORDS = {
  wrong_value: "not the right values",
  wrong_shape: "not the right number of rows or columns",
  wrong_order: "the right rows in the wrong order",
  unparsable: "it cannot be read",
  empty: "it was empty",
  wrong_on_variant: "right on this database, but not on a changed one",
};

/** What became of an answer, in words. */
export function verdictWords(verdict, truncated) {
  if (truncated) return ["Out of steps", "The budget ran out before an answer was given."];
  if (verdict === "correct") return ["Correct", ""];
  return ["Not correct", WORDS[verdict] ? `Your answer: ${WORDS[verdict]}.` : ""];
}

/** The reward by component, as bars around zero. */
export function rewardChart(components, total) {
  const bars = [...Object.entries(components), ["return", total]];
  const width = 320, label = 84, line = 26, low = -0.25, high = 1.05;
  const x = (value) => label + ((value - low) / (high - low)) * (width - label - 48);
  const parts = bars.map(([name, value], row) => {
    const from = Math.min(x(0), x(value)), y = row * line + 6;
    const kind = name === "return" ? "total" : value < 0 ? "loss" : "gain";
    return svg(
      "g", {},
      text(name, label - 8, y + 12, "end", kind === "total" ? "strong" : ""),
      svg("rect", { x: from, y, width: Math.max(1, Math.abs(x(value) - x(0))), height: 16, rx: 2, class: kind }),
      text(signed(value), Math.max(x(0), x(value)) + 6, y + 12, "start", kind === "total" ? "strong" : ""),
    );
  });
  const height = bars.length * line + 6;
  const said = bars.map(([name, value]) => `${name} ${signed(value)}`).join(", ");
  return svg(
    "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Reward: ${said}`, class: "chart" },
    svg("line", { x1: x(0), x2: x(0), y1: 0, y2: height, class: "axis" }),
    ...parts,
  );
}

function text(said, x, y, anchor, kind) {
  return svg("text", { x, y, "text-anchor": anchor, class: kind }, document.createTextNode(said));
}
