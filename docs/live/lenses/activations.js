// All channels of a layer as a wall; one of them, large over the picture.
import { upsample } from "../compute/class_maps.js";
import { canvas, heat, largest, make, plain } from "../draw.js";
import { menu } from "./controls.js";

function open(page) {
  const { card } = page;
  const layer = menu("Layer", Object.keys(card.maps).map((name) => [name, name]), card.stages[2]);
  const order = menu("in order of", [["strength", "strength here"], ["number", "number"]]);
  const wall = make("div", {
    class: "wall", role: "listbox", tabindex: 0, "aria-label": "Channels",
  });
  const words = make("p");
  page.panel.append(
    make("p", {}, "What do the layer's channels see? Choose one, and it is laid over the picture."),
    make("div", { class: "row" }, layer.element, order.element), words, wall);
  let channels = [], at = 0, shape;

  async function draw() {
    const name = layer.select.value;
    const answer = await page.ask({ what: "activations", layer: name });
    if (name !== layer.select.value) return;
    shape = answer.shape;
    channels = split(answer.values, shape);
    if (order.select.value === "strength") channels.sort((a, b) => b.top - a.top);
    wall.replaceChildren(...channels.map(({ number, values, top }, place) => {
      const small = canvas(shape, plain(values, page.colours));
      const option = make("div", { role: "option", id: `channel-${place}` }, small);
      option.title = `Channel ${number}: up to ${top.toPrecision(3)}`;
      option.setAttribute("aria-label", option.title);
      option.addEventListener("click", () => choose(place));
      return option;
    }));
    choose(0);
  }

  function choose(place) {
    at = place;
    const { number, values, top } = channels[at];
    for (const option of wall.querySelectorAll("[aria-selected]")) {
      option.removeAttribute("aria-selected");
    }
    wall.children[at].setAttribute("aria-selected", true);
    wall.setAttribute("aria-activedescendant", `channel-${at}`);
    const large = upsample(values, shape, card.maps[layer.select.value], card.size);
    page.lay(canvas(card.size, heat(large, page.colours)), "heat");
    words.textContent = top > 0
      ? `Channel ${number}, counted from 0: its largest value here is ${top.toPrecision(3)}.`
      : `Channel ${number}, counted from 0, is silent here.`;
    page.say(words.textContent);
  }

  wall.addEventListener("keydown", (event) => {
    const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const next = at + steps[event.key];
    if (!(event.key in steps)) return;
    event.preventDefault();
    if (next < 0 || next >= channels.length) return;
    choose(next);
    wall.children[next].scrollIntoView({ block: "nearest" });
  });
  for (const { select } of [layer, order]) select.addEventListener("change", draw);
  draw();
}

// (h, w, C), channel after channel.
function split(values, [h, w, count]) {
  return Array.from({ length: count }, (_, number) => {
    const own = Float32Array.from({ length: h * w }, (_, i) => values[i * count + number]);
    return { number, values: own, top: largest(own) };
  });
}

export const activations = { title: "All channels", open };
