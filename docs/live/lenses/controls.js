// What the lenses' panels are made of.
import { canvas, make } from "../draw.js";

// A number between two: {element, input}.
export function slider(label, { low, high, value, unit = "" }) {
  const input = make("input", { type: "range", min: low, max: high, value });
  const output = make("output");
  const show = () => {
    output.textContent = `${input.value}${unit}`;
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", show);
  show();
  return { element: make("label", { class: "row" }, label, input, output), input };
}

// One of a few: {element, select}; `options` are pairs of a value and what it is called.
export function menu(label, options, value) {
  const select = make("select", { autocomplete: "off" });
  select.append(...options.map(([key, name]) => make("option", { value: key }, name)));
  select.value = value ?? options[0][0];
  return { element: make("label", {}, `${label} `, select), select };
}

// What the colours of a map mean: the numbers at the ends of a table of colours.
export function key(table, low, high) {
  const strip = canvas([1, table.length], (i) => [...table[i], 255], "The colours of the map");
  const number = (value) => (Math.abs(value) < 1e-9 ? "0" : Number(value.toPrecision(2)).toString());
  return make("p", { class: "key" }, number(low), strip, number(high));
}

// A canvas and what it shows.
export const captioned = (shown, caption) =>
  make("figure", {}, shown, make("figcaption", {}, caption));

// Does `work` with the latest arguments, one at a time; what comes in between is left out.
export function latest(work) {
  let next, busy = false;
  return async (...given) => {
    next = given;
    if (busy) return;
    busy = true;
    while (next) {
      const now = next;
      next = undefined;
      await work(...now);
    }
    busy = false;
  };
}
