// Cover a part of the picture, and watch what the network makes of the rest.
import { heatmap, windows } from "../compute/occlusion.js";
import { canvas, diverging, make, size } from "../draw.js";
import { key, latest, slider } from "./controls.js";

const SHARE = 0.21; // of the picture's side: the square's
const STEPS = 12; // of the map along a side

function open(page) {
  const [height, width] = page.card.size;
  const kept = (page.kept.square ??= {
    side: Math.round(SHARE * width), top: Math.round(height / 24), left: Math.round(width / 24),
    covers: false,
  });
  const square = make("button", { type: "button", class: "patch" });
  square.style.setProperty("--fill", `rgb(${page.mean.join(" ")})`);
  page.stage.append(square);
  const side = slider("Side of the square", {
    low: Math.round(width / 16), high: Math.round(width / 2), value: kept.side, unit: " pixels",
  });
  const off = make("button", { type: "button" }, "Take the square off");
  page.panel.append(
    make("p", {}, "Drag the square over the picture, or move it with the arrow keys. Which part " +
      `makes the network say ${page.name}?`),
    make("div", { class: "row" }, side.element, off), map(page, kept),
    make("p", { class: "hint" }, "A square is something to see, too: now and then the network " +
      "answers to the square and not to what is missing."));

  const ask = latest(async (window) => {
    const { values } = await page.ask({ what: "logits", window });
    const where = window ? `Covered at row ${window[0]}, column ${window[1]}` : "Nothing is covered";
    page.says(values, `${where}: ${page.leaders(values)}.`);
  });

  function place() {
    const inside = (pixel, all) => Math.round(Math.min(Math.max(pixel, 0), all - kept.side));
    [kept.top, kept.left] = [inside(kept.top, height), inside(kept.left, width)];
    const share = (pixels, all) => `${(100 * pixels) / all}%`;
    Object.assign(square.style, {
      top: share(kept.top, height), left: share(kept.left, width),
      height: share(kept.side, height), width: share(kept.side, width),
    });
    square.classList.toggle("covers", kept.covers);
    square.textContent = kept.covers ? "" : "Drag me";
    square.setAttribute("aria-label",
      `Square at row ${kept.top}, column ${kept.left}. The arrow keys move it.`);
    off.disabled = !kept.covers;
    ask(kept.covers && [kept.top, kept.left, kept.top + kept.side, kept.left + kept.side]);
  }

  function move(top, left) {
    Object.assign(kept, { top, left, covers: true });
    place();
  }
  // The middle of the square goes where the finger or the mouse is.
  function follow(event) {
    const on = page.stage.getBoundingClientRect();
    move(((event.clientY - on.y) / on.height) * height - kept.side / 2,
      ((event.clientX - on.x) / on.width) * width - kept.side / 2);
  }
  square.addEventListener("pointerdown", (event) => square.setPointerCapture(event.pointerId));
  square.addEventListener("pointermove", (event) => event.buttons && follow(event));
  page.stage.addEventListener("click", (event) => event.detail && follow(event), {
    signal: page.signal, // a click by a key has no place
  });
  square.addEventListener("keydown", (event) => {
    const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in arrows)) return;
    event.preventDefault();
    const step = Math.round(width / (event.shiftKey ? 48 : 16));
    move(kept.top + step * arrows[event.key][0], kept.left + step * arrows[event.key][1]);
  });
  side.input.addEventListener("input", () => {
    kept.side = Number(side.input.value);
    place();
  });
  off.addEventListener("click", () => {
    kept.covers = false;
    place();
  });
  place();
}

// The square everywhere, one place after the other. All classes' logits are kept: once it is done,
// the map of another class is there at once.
function map(page, kept) {
  const start = make("button", { type: "button" }, "Make a map: cover every place in turn");
  const stop = make("button", { type: "button" }, "Stop");
  const progress = make("progress", { max: 1, "aria-label": "Places covered so far" });
  const [row, words, colours] = [make("div", { class: "row" }, start), make("p"), make("div")];
  const show = make("input", { type: "checkbox", checked: "" });
  const shown = make("label", {}, show, " Show the map");

  function draw() {
    const { boxes, rows, patch, ended } = page.kept.scan;
    const drops = rows.map((scores) => page.clean[page.k] - scores[page.k]);
    const values = heatmap(boxes, drops, page.card.size);
    const top = size(values);
    page.lay(show.checked && canvas(page.card.size, diverging(values, page.colours)), "heat");
    colours.replaceChildren(key(page.colours.diverging, -top, top));
    words.textContent = `Red places speak for ${page.name}: under a square of ${patch} pixels its ` +
      "logit falls by as much as the colour says. Under blue ones it rises." +
      (ended || rows.length === boxes.length ? "" : " The colours change until all is covered.") +
      (ended ? ` Only ${rows.length} of ${boxes.length} places were covered.` : "");
  }

  start.addEventListener("click", async () => {
    const patch = kept.side;
    const stride = Math.max(1, Math.round((page.card.size[1] - patch) / STEPS));
    const { boxes } = windows(page.card.size, patch, stride);
    const scan = (page.kept.scan = { boxes, rows: [], patch, ended: false });
    const cancel = new AbortController();
    page.signal.addEventListener("abort", () => {
      cancel.abort();
      const going = !scan.ended && scan.rows.length < boxes.length;
      if (going && page.kept.scan === scan) delete page.kept.scan;
    });
    stop.onclick = () => cancel.abort();
    row.replaceChildren(stop, progress, shown);
    stop.focus();
    const more = ({ found }) => {
      scan.rows.push(...found);
      progress.value = scan.rows.length / boxes.length;
      draw();
    };
    const question = { what: "occlusion", patch, stride };
    const { cancelled } = await page.ask(question, more, cancel.signal);
    scan.ended = Boolean(cancelled);
    const here = row.contains(document.activeElement);
    row.replaceChildren(start, shown);
    if (here) start.focus();
    if (scan.rows.length) draw();
    page.say(words.textContent);
  });
  show.addEventListener("change", draw);
  if (page.kept.scan) {
    row.append(shown);
    draw();
  }
  return make("div", {}, row, colours, words);
}

export const occlusion = { title: "Cover a part", open };
