// How little must change for another answer? The fast gradient sign method.
import { canvas, make } from "../draw.js";
import { captioned, latest, slider } from "./controls.js";

const MOST = 8; // grey levels
const STRONGER = 16; // the change, to be seen at all

function open(page) {
  const levels = slider("Change each value by", {
    low: 0, high: MOST, value: page.kept.levels ?? 1, unit: " of 255 grey levels",
  });
  const [words, side] = [make("p"), make("div", { class: "side" })];
  page.panel.append(
    make("p", {}, "All pixels change a little, each in the direction in which the network sees " +
      `less ${page.name}. Can you see the difference? The network can.`),
    levels.element, words, side);

  const draw = latest(async () => {
    const moved = (page.kept.levels = Number(levels.input.value));
    const { values, pixels } = await page.ask({ what: "fgsm", levels: moved });
    const change = (i) => [0, 1, 2].map((c) => pixels[4 * i + c] - page.pixels[4 * i + c]);
    page.lay(moved > 0 && added(page, change));
    side.replaceChildren(captioned(
      canvas(page.card.size, (i) => [...change(i).map((d) => 127.5 + STRONGER * d), 255], "The change"),
      `The change, ${STRONGER} times as strong.`));
    words.textContent = moved === 0
      ? `Without a change the network says ${page.leaders(values)}.`
      : `The network now says ${page.leaders(values)}.`;
    page.says(values, words.textContent);
  });
  levels.input.addEventListener("input", draw);
  draw();
}

// The picture on the screen, which is larger than the network's, with the change added to it.
function added(page, change) {
  const copy = page.copy();
  const context = copy.getContext("2d");
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  const [height, width] = page.card.size;
  return canvas([copy.height, copy.width], (i) => {
    const row = Math.floor((Math.floor(i / copy.width) * height) / copy.height);
    const column = Math.floor(((i % copy.width) * width) / copy.width);
    const moved = change(row * width + column);
    return [...moved.map((d, c) => data[4 * i + c] + d), 255];
  }, "The picture after the change");
}

export const attack = { title: "Small change", open };
