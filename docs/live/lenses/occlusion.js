// Cover a part of the picture, and watch what the network makes of the rest.
import { heatmap, windows } from "../compute/occlusion.js";
import { canvas, diverging, make } from "../draw.js";
import { captioned, latest, slider } from "./controls.js";

const SHARE = 0.21; // of the picture's side: the square's
const STEPS = 12; // of the map along a side

function open(page) {
  const [height, width] = page.card.size;
  let side = Math.round(SHARE * width);
  let [top, left] = [Math.round(height / 24), width - side - Math.round(width / 24)];

  const square = make("button", { type: "button", class: "patch" });
  square.style.background = `rgb(${page.mean.join(" ")})`;
  page.stage.append(square);
  const size = slider("Side of the square", {
    low: Math.round(width / 16), high: Math.round(width / 2), value: side, unit: " pixels",
  });
  page.panel.append(
    make("p", {}, "Drag the square over the picture, or move it with the arrow keys. What was it " +
      "that made the network say what it says?"),
    size.element, map(page, () => side));

  const ask = latest(async (window) => {
    const { values } = await page.ask({ what: "logits", window });
    page.says(values, `Covered at row ${window[0]}, column ${window[1]}: ${page.leaders(values)}.`);
  });

  function place() {
    const inside = (pixel, all) => Math.round(Math.min(Math.max(pixel, 0), all - side));
    [top, left] = [inside(top, height), inside(left, width)];
    const share = (pixels, all) => `${(100 * pixels) / all}%`;
    Object.assign(square.style, {
      top: share(top, height), left: share(left, width),
      height: share(side, height), width: share(side, width),
    });
    square.setAttribute("aria-label",
      `Square at row ${top}, column ${left}. The arrow keys move it.`);
    ask([top, left, top + side, left + side]);
  }

  // The middle of the square goes where the finger or the mouse is.
  function follow(event) {
    const on = page.stage.getBoundingClientRect();
    top = ((event.clientY - on.y) / on.height) * height - side / 2;
    left = ((event.clientX - on.x) / on.width) * width - side / 2;
    place();
  }
  square.addEventListener("pointerdown", (event) => square.setPointerCapture(event.pointerId));
  square.addEventListener("pointermove", (event) => event.buttons && follow(event));
  page.stage.addEventListener("click", follow, { signal: page.signal });
  square.addEventListener("keydown", (event) => {
    const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in arrows)) return;
    event.preventDefault();
    const step = Math.round(width / (event.shiftKey ? 48 : 16));
    top += step * arrows[event.key][0];
    left += step * arrows[event.key][1];
    place();
  });
  size.input.addEventListener("input", () => {
    side = Number(size.input.value);
    place();
  });
  place();
}

// The square everywhere, one place after the other: a button, how far it is, and the map.
function map(page, side) {
  const start = make("button", { type: "button" }, `Cover every place: a map for ${page.name}`);
  const stop = make("button", { type: "button" }, "Stop");
  const progress = make("progress", { max: 1, "aria-label": "Places covered so far" });
  const [row, shown, words] = [make("div", { class: "row" }, start), make("div"), make("p")];

  start.addEventListener("click", async () => {
    const [height, width] = page.card.size;
    const stride = Math.max(1, Math.round((width - side()) / STEPS));
    const { boxes } = windows([height, width], side(), stride);
    const drops = [];
    const ended = new AbortController();
    page.signal.addEventListener("abort", () => ended.abort());
    stop.onclick = () => ended.abort();
    progress.value = 0;
    words.textContent = "";
    row.replaceChildren(stop, progress);
    stop.focus();
    const more = ({ found }) => {
      drops.push(...found.map((scores) => page.clean[page.k] - scores[page.k]));
      progress.value = drops.length / boxes.length;
      shown.replaceChildren(over(page, heatmap(boxes, drops, [height, width])));
    };
    const question = { what: "occlusion", patch: side(), stride };
    const { cancelled } = await page.ask(question, more, ended.signal);
    row.replaceChildren(start);
    start.focus();
    const most = (sign) => Math.max(0, ...drops.map((drop) => sign * drop)).toFixed(1);
    words.textContent = cancelled
      ? `It was stopped after ${drops.length} of ${boxes.length} places.`
      : `Where it is red, the logit of ${page.name} falls if that place is covered, by up to ` +
        `${most(1)}. Where it is blue, the logit rises, by up to ${most(-1)}.`;
    page.say(words.textContent);
  });
  return make("div", {}, row, words, shown);
}

function over(page, values) {
  const heat = canvas(page.card.size, diverging(values, page.colours));
  heat.className = "map";
  const box = make("div", { class: "over", role: "img" }, page.copy(), heat);
  box.setAttribute("aria-label", `Map of what covering does to ${page.name}`);
  return captioned(box, `What covering does to ${page.name}`);
}

export const occlusion = { title: "Cover a part", open };
