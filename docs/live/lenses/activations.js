// All channels of a layer as a wall; one of them, large over the picture.
import { upsample } from "../compute/class_maps.js";
import { canvas, heat, largest, make, plain } from "../draw.js";
import { key, menu } from "./controls.js";

function open(page) {
  const { card } = page;
  const names = Object.keys(card.maps).map((name) => [name, name]);
  const layer = menu("Layer", names, page.kept.layer ?? card.stages[2]);
  const order = menu("sorted by", [["strength", "strength"], ["number", "number"]], page.kept.order);
  const wall = make("div", {
    class: "wall", role: "listbox", tabindex: 0, "aria-label": "Channels",
  });
  const [words, colours] = [make("p"), make("div")];
  page.panel.append(
    make("p", {}, "A layer has many channels, and each answers to something. Choose one, and it is " +
      "laid over the picture."),
    make("div", { class: "row" }, layer.element, order.element), words, colours, wall,
    make("p", { class: "hint" }, "One picture does not tell what a channel looks for: try others."));
  let channels = [], at = 0, shape;

  async function draw() {
    const name = layer.select.value;
    Object.assign(page.kept, { layer: name, order: order.select.value });
    const answer = await page.ask({ what: "activations", layer: name });
    if (name !== layer.select.value) return;
    shape = answer.shape;
    channels = split(answer.values, shape);
    if (order.select.value === "strength") channels.sort((a, b) => b.top - a.top);
    wall.replaceChildren(...channels.map(({ number, values, top }, place) => {
      const small = canvas(shape, plain(values, page.colours));
      const option = make("div", { role: "option", id: `channel-${place}` }, small);
      option.title = called(number);
      option.setAttribute("aria-label", option.title);
      option.addEventListener("click", () => choose(place));
      return option;
    }));
    choose(0);
  }

  // SqueezeNet's last layer has a channel for each class.
  function called(number) {
    const label = card.pooled && layer.select.value === card.last ? `, ${card.labels[number]}` : "";
    return `Channel ${number}${label}`;
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
    colours.replaceChildren(key(page.colours.heat, 0, Math.max(top, 0)));
    const count = `${place + 1} of ${channels.length}`;
    words.textContent = `${called(number)} (${count})${top > 0 ? "" : " is silent here"}.`;
    page.say(words.textContent);
  }

  wall.addEventListener("keydown", (event) => {
    const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
      Home: -at, End: channels.length - 1 - at,
    };
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
