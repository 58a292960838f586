// Where is the evidence for a class? CAM and Grad-CAM.
import { upsample } from "../compute/class_maps.js";
import { canvas, heat, largest, make } from "../draw.js";
import { key, menu } from "./controls.js";

function open(page) {
  const { card } = page;
  const ways = [["gradCam", "Grad-CAM"], ...(card.pooled ? [["cam", "CAM"]] : [])];
  const way = menu("Map", ways, page.kept.way);
  const names = Object.keys(card.maps).map((name) => [name, name]);
  const layer = menu("of layer", names, page.kept.mapped ?? card.last);
  const [words, colours] = [make("p"), make("div")];
  page.panel.append(
    make("p", {}, `Where does the evidence for ${page.name} lie? Choose another class, and the ` +
      "map answers."),
    make("div", { class: "row" }, way.element, layer.element), colours, words,
    make("p", { class: "hint" }, "A bright place need not be a reason: cover it, and see what the " +
      "network says then. In early layers Grad-CAM tells little of the class."));

  async function draw() {
    const what = way.select.value;
    layer.select.disabled = what === "cam";
    if (what === "cam") layer.select.value = card.last;
    const name = layer.select.value;
    Object.assign(page.kept, { way: what, mapped: name });
    const { values, shape } = await page.ask({ what, layer: name });
    if (what !== way.select.value || name !== layer.select.value) return;
    const large = upsample(values, shape, card.maps[name], card.size);
    const top = largest(values);
    page.lay(canvas(card.size, heat(large, page.colours)), "heat");
    colours.replaceChildren(key(page.colours.heat, 0, Math.max(top, 0)));
    words.textContent = top > 0
      ? `Bright places count for ${page.name}. The map has ${shape[0]} × ${shape[1]} values, ` +
        "enlarged to the picture."
      : `No place counts for ${page.name}: no value of the map is above zero.`;
    page.say(words.textContent);
  }
  for (const { select } of [way, layer]) select.addEventListener("change", draw);
  draw();
}

export const classMaps = { title: "Class maps", open };
