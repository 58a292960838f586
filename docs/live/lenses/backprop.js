// What comes back to the pixels from the score of a class, with two rules at the ReLUs.
import { canvas, make, signed } from "../draw.js";
import { captioned } from "./controls.js";

const WAYS = [
  ["gradient", "The gradient says how the logit answers to each pixel."],
  ["guidedBackprop", "Guided backprop passes only positive signals back through each ReLU."],
];

function open(page) {
  const side = make("div", { class: "side" });
  page.panel.append(
    make("p", {}, `The score of ${page.name} is sent back through the network to the pixels. Grey ` +
      "is zero. Choose another class: how much does each picture change?"),
    side,
    make("p", { class: "hint" }, "Guided backprop is sharp, but much of what it draws depends on " +
      "the picture and hardly on the class."));
  const kept = (page.kept.backprop ??= []); // the last pictures stay, dimmed, until the new ones come
  WAYS.forEach(async ([what, caption], place) => {
    const before = kept[place] ?? make("div", { class: "empty" });
    before.setAttribute("aria-busy", true);
    const figure = side.appendChild(captioned(before, caption));
    const { values } = await page.ask({ what });
    kept[place] = canvas(page.card.size, signed(values, page.card.order), `${caption} ${page.name}.`);
    figure.firstChild.replaceWith(kept[place]);
    if (place === WAYS.length - 1) page.say(`Two pictures for ${page.name}.`);
  });
}

export const backprop = { title: "Guided backprop", open };
