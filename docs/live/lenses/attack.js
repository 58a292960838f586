// How little must change for another answer? The fast gradient sign method.
import { canvas, make } from "../draw.js";
import { captioned, latest, slider } from "./controls.js";

const MOST = 8; // grey levels
const STRONGER = 16; // the change, to be seen at all

function open(page) {
  const levels = slider("Each value of each pixel moves by", {
    low: 0, high: MOST, value: 1, unit: " of 255 grey levels",
  });
  const [words, side] = [make("p"), make("div", { class: "side" })];
  page.panel.append(
    make("p", {}, `Every pixel moves a little to where ${page.name} loses. How little is enough ` +
      "for another answer?"),
    levels.element, words, side);

  const draw = latest(async () => {
    const moved = Number(levels.input.value);
    const { values, pixels } = await page.ask({ what: "fgsm", levels: moved });
    page.lay(canvas(page.card.size, colour(pixels), "The picture after the change"));
    const change = (i) => [0, 1, 2].map((c) =>
      127.5 + STRONGER * (pixels[4 * i + c] - page.pixels[4 * i + c])).concat(255);
    side.replaceChildren(captioned(
      canvas(page.card.size, change, "The change"), `The change, ${STRONGER} times as strong.`));
    words.textContent = moved === 0
      ? `Without a change the network says ${page.leaders(values)}.`
      : `The network now says ${page.leaders(values)}.`;
    page.says(values, words.textContent);
  });
  levels.input.addEventListener("input", draw);
  draw();
}

const colour = (pixels) => (i) => pixels.subarray(4 * i, 4 * i + 4);

export const attack = { title: "A small change", open };
