// What comes back to the pixels from the score of a class, with two rules at the ReLUs.
import { canvas, make, signed } from "../draw.js";
import { captioned } from "./controls.js";

const WAYS = [
  ["gradient", "The gradient: how the class's logit answers to each pixel."],
  ["guidedBackprop", "Guided backprop: at each ReLU only what is positive goes on."],
];

function open(page) {
  const side = make("div", { class: "side" });
  page.panel.append(
    make("p", {}, `What comes back to the pixels from ${page.name}? Grey is zero. Choose another ` +
      "class: does guided backprop draw another picture?"),
    side);
  WAYS.forEach(async ([what, caption], place) => {
    const figure = side.appendChild(captioned(make("div", { class: "empty" }), caption));
    const { values } = await page.ask({ what });
    const shown = canvas(page.card.size, signed(values, page.card.order), `${caption} ${page.name}.`);
    figure.firstChild.replaceWith(shown);
    if (place === WAYS.length - 1) page.say(`Two pictures for ${page.name}.`);
  });
}

export const backprop = { title: "Guided backprop", open };
