// Where is the evidence for a class? CAM and Grad-CAM.
import { upsample } from "../compute/class_maps.js";
import { canvas, heat, largest, make } from "../draw.js";
import { menu } from "./controls.js";

function open(page) {
  const { card } = page;
  const ways = [["gradCam", "Grad-CAM"], ...(card.pooled ? [["cam", "CAM"]] : [])];
  const way = menu("Map", ways);
  const layer = menu("of layer", Object.keys(card.maps).map((name) => [name, name]), card.last);
  const words = make("p");
  page.panel.append(
    make("p", {}, `Where does the evidence for ${page.name} lie? Choose another class by its ` +
      "name in the list, and the map answers."),
    make("div", { class: "row" }, way.element, layer.element), words);

  async function draw() {
    const what = way.select.value;
    layer.select.disabled = what === "cam";
    if (what === "cam") layer.select.value = card.last;
    const name = layer.select.value;
    const { values, shape } = await page.ask({ what, layer: name });
    if (what !== way.select.value || name !== layer.select.value) return;
    const large = upsample(values, shape, card.maps[name], card.size);
    const top = largest(values);
    page.lay(canvas(card.size, heat(large, page.colours)), "heat");
    words.textContent = top > 0
      ? `Bright places speak for ${page.name}. The map has ${shape[0]} × ${shape[1]} values, ` +
        `and the largest is ${top.toPrecision(3)}.`
      : `Nothing speaks for ${page.name}: no value of the map is above zero.`;
    page.say(words.textContent);
  }
  for (const { select } of [way, layer]) select.addEventListener("change", draw);
  draw();
}

export const classMaps = { title: "Class maps", open };
