// The controls that menus cannot replace. Each fills its place on the page, writes what the reader
// chooses to "value", and follows "items", "sheet" and "value" as Python writes them.

function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function choose(model, value) {
  model.set("value", value);
  model.save_changes(); // while Python is busy, Jupyter keeps only the last one
}

/** Acts now, and once after each message that changes one of the names. */
function follow(model, names, act) {
  let waits = false;
  model.on(names.map((name) => `change:${name}`).join(" "), () => {
    if (waits) return;
    waits = true;
    queueMicrotask(() => {
      waits = false;
      act();
    });
  });
  act();
}

/** Tiles of the sheet: element number i shows tile i, which lies in row floor(i / columns). */
function tiles(model) {
  const blob = new Blob([model.get("sheet")], { type: "image/png" });
  const address = URL.createObjectURL(blob);
  const [columns, rows] = model.get("grid");
  return {
    show(element, i) {
      const at = (k, n) => (n > 1 ? (100 * k) / (n - 1) : 0);
      element.style.backgroundImage = `url(${address})`;
      element.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
      element.style.backgroundPosition =
        `${at(i % columns, columns)}% ${at(Math.floor(i / columns), rows)}%`;
    },
    forget: () => URL.revokeObjectURL(address),
  };
}

const FRAME = 4; // pixels around the chosen tile

/** One of many: a wall of tiles, bars of classes, or a plane of pictures. */
function choice({ model, el }) {
  const name = `choice-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const box = make("div", { role: "listbox", tabindex: 0 });
  const above = make("div", { class: "vizlib-below", "aria-hidden": true });
  const below = make("div", { class: "vizlib-below" });
  el.append(above, box, below);
  let sheet, filled;

  /** Two bars, of the probability and of the logit, and a tick where each was. */
  function track(item) {
    const rows = item.now.map((now, i) => {
      const bar = make("span", { class: "vizlib-bar" });
      bar.style.width = `${100 * now}%`;
      const row = make("span", {}, bar);
      if (Math.abs(item.was[i] - now) > 0.005) {
        const tick = make("span", { class: "vizlib-tick" });
        tick.style.left = `${100 * item.was[i]}%`;
        row.append(tick);
      }
      return row;
    });
    return make("span", { class: "vizlib-track" }, ...rows);
  }

  function option(item, i) {
    const made = make("div", { role: "option", id: `${name}-${i}`, title: item.label });
    made.setAttribute("aria-label", item.label);
    if (model.get("kind") === "bars") {
      const texts = item.texts.map((text) => make("span", {}, text));
      made.append(make("span", { class: "vizlib-name" }, item.name), track(item), ...texts);
    } else {
      sheet.show(made, item.tile);
    }
    if (model.get("kind") === "plane") {
      Object.assign(made.style, {
        left: `${100 * item.left}%`, top: `${100 * item.top}%`, borderColor: item.colour,
      });
      made.style.setProperty("--side", `${100 * item.side}%`);
    }
    made.addEventListener("click", () => choose(model, item.value));
    return made;
  }

  /** What the frames' colours mean. */
  function legend(items) {
    const colours = new Map(items.map((item) => [item.group, item.colour]));
    return [...colours].map(([group, colour]) => {
      const mark = make("span", { class: "vizlib-mark" });
      mark.style.borderColor = colour;
      return make("span", {}, mark, group);
    });
  }

  function fill() {
    sheet?.forget();
    sheet = tiles(model);
    filled = model.get("items");
    box.className = `vizlib-choice vizlib-${model.get("kind")}`;
    box.setAttribute("aria-label", model.get("label"));
    above.textContent = `${model.get("label")}: click one, or use the arrow keys`;
    box.replaceChildren(...filled.map(option));
    below.replaceChildren(
      ...(model.get("kind") === "plane" ? legend(filled) : []), model.get("says"));
    mark();
  }

  function mark() {
    const items = model.get("items");
    if (items !== filled) return; // they come in the same message, and mark themselves
    const chosen = items.findIndex((item) => item.value === model.get("value"));
    items.forEach((item, i) => box.children[i].setAttribute("aria-selected", i === chosen));
    if (chosen < 0) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", `${name}-${chosen}`);
    look();
    box.querySelector("svg")?.remove();
    const near = items[chosen].near ?? [];
    if (!near.length) return;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const k of near) {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [i, end] of [[chosen, 1], [k, 2]]) {
        line.setAttribute(`x${end}`, `${100 * items[i].left}%`);
        line.setAttribute(`y${end}`, `${100 * items[i].top}%`);
      }
      svg.append(line);
    }
    box.append(svg);
  }

  /** Scrolls the wall, and not the page, to the tile that is chosen. */
  function look() {
    const tile = box.querySelector('[aria-selected="true"]')?.getBoundingClientRect();
    if (!tile) return;
    const wall = box.getBoundingClientRect();
    const above = wall.top + FRAME - tile.top, below = tile.bottom + FRAME - wall.bottom;
    if (above > 0) box.scrollTop -= above;
    else if (below > 0) box.scrollTop += below;
  }

  /** An arrow goes to the next tile, or to the nearest option on its side. */
  function step(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in arrows)) return;
    event.preventDefault();
    event.stopPropagation();
    const [x, y] = arrows[event.key];
    const items = model.get("items");
    const chosen = Math.max(0, items.findIndex((item) => item.value === model.get("value")));
    const beside = model.get("kind") === "tiles" && x ? chosen + x : undefined;
    const found = beside ?? nearest(items, chosen, x, y);
    if (!items[found]) return;
    choose(model, items[found].value);
    box.children[found].scrollIntoView({ block: "nearest" });
  }

  /** The nearest on one side; a step aside counts twice. */
  function nearest(items, chosen, x, y) {
    const middles = items.map((item, i) => {
      const box = document.getElementById(`${name}-${i}`).getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    });
    const from = middles[chosen];
    let best = Infinity, found;
    middles.forEach(([a, b], i) => {
      const ahead = (a - from[0]) * x + (b - from[1]) * y;
      const aside = Math.abs((a - from[0]) * y) + Math.abs((b - from[1]) * x);
      if (ahead > 1 && ahead + 2 * aside < best) [best, found] = [ahead + 2 * aside, i];
    });
    return found;
  }

  box.addEventListener("keydown", step);
  follow(model, ["kind", "items", "sheet", "says"], fill);
  follow(model, ["value"], mark);
  const seen = new ResizeObserver(look); // also when it first has a place on the page
  seen.observe(box);
  return () => {
    seen.disconnect();
    sheet.forget();
  };
}

/** A square to drag over a picture: "value" is [top, left] in pixels of the picture. */
function patch({ model, el }) {
  const image = make("div", { role: "img" });
  const square = make("div", { role: "slider", tabindex: 0, class: "vizlib-square" });
  const box = make("div", { class: "vizlib-patch" }, image, square);
  el.append(make("div", { class: "vizlib-below", "aria-hidden": true }, model.get("label")), box);
  let sheet;

  function fill() {
    sheet?.forget();
    sheet = tiles(model);
    sheet.show(image, 0);
  }
  function place() {
    const { size, side, fill, alt } = model.get("items");
    const [top, left] = model.get("value");
    image.setAttribute("aria-label", alt);
    box.style.aspectRatio = `${size[1]} / ${size[0]}`;
    const share = (pixels, all) => `${(100 * pixels) / all}%`;
    Object.assign(square.style, {
      top: share(top, size[0]), left: share(left, size[1]), background: fill,
      height: share(side, size[0]), width: share(side, size[1]),
    });
    square.setAttribute("aria-label", model.get("label"));
    square.setAttribute("aria-valuemax", size[0] * size[1]);
    square.setAttribute("aria-valuenow", top * size[1] + left);
    square.setAttribute("aria-valuetext", `row ${top}, column ${left}`);
  }
  function move(top, left) {
    const { size, side } = model.get("items");
    const fit = (pixel, all) => Math.round(Math.min(Math.max(pixel, 0), all - side));
    choose(model, [fit(top, size[0]), fit(left, size[1])]);
  }
  function drag(event) {
    if (!event.buttons) return;
    const { size, side } = model.get("items");
    const on = box.getBoundingClientRect();
    move(((event.clientY - on.y) / on.height) * size[0] - side / 2,
      ((event.clientX - on.x) / on.width) * size[1] - side / 2);
  }
  box.addEventListener("pointerdown", (event) => {
    box.setPointerCapture(event.pointerId);
    event.preventDefault();
    square.focus();
    drag(event);
  });
  box.addEventListener("pointermove", drag);
  square.addEventListener("keydown", (event) => {
    const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in arrows)) return;
    event.preventDefault();
    event.stopPropagation();
    const length = Math.max(1, Math.round(model.get("items").size[0] / 24));
    const [top, left] = model.get("value");
    move(top + length * arrows[event.key][0], left + length * arrows[event.key][1]);
  });
  follow(model, ["sheet"], fill);
  follow(model, ["items", "value"], place);
  return () => sheet.forget();
}

/** From one number to another in the colours of a map. */
function scale({ low, high, colours }) {
  const bar = make("span", { class: "vizlib-colours" });
  bar.style.background = colours;
  return make("div", { class: "vizlib-scale" }, low, bar, high);
}

/** Panels, each with its caption, and a sentence that a screen reader hears. */
function view({ model, el }) {
  const box = make("div", { class: "vizlib-panels" });
  const sentence = make("div", { class: "vizlib-sentence", role: "status" });
  el.classList.add("vizlib-view");
  el.append(box, sentence);
  const images = []; // each stays, and shows the last picture until the next is there
  let addresses = [];

  function panel(item, i) {
    const figure = make("figure", { class: "vizlib-panel" });
    if (item.image) {
      const address = URL.createObjectURL(new Blob([item.image], { type: "image/png" }));
      addresses.push(address);
      images[i] ??= make("img", { decoding: "sync" });
      const [width, height] = item.size;
      Object.assign(images[i], { alt: item.alt, src: address, width, height });
      figure.append(images[i]);
    } else {
      figure.append(make("div", { class: "vizlib-blank" }));
    }
    if (item.scale) figure.append(scale(item.scale));
    const unit = item.scale ? ` (${item.scale.unit})` : "";
    figure.append(make("figcaption", {}, item.caption + unit));
    return figure;
  }

  function forget() {
    addresses.forEach((address) => URL.revokeObjectURL(address));
    addresses = [];
  }

  function fill() {
    const { panels = [], headings = [], side } = model.get("items");
    forget();
    const width = headings.length ? `min(${side}px, 30%)` : `minmax(min(100%, 100px), ${side}px)`;
    box.style.gridTemplateColumns = `repeat(auto-fill, ${width})`;
    const made = panels.map(panel);
    headings.forEach((heading, i) => {
      const start = (i * panels.length) / headings.length + i;
      made.splice(start, 0, make("div", { class: "vizlib-heading" }, heading));
    });
    box.replaceChildren(...made);
  }

  follow(model, ["items"], fill);
  follow(model, ["says"], () => (sentence.textContent = model.get("says")));
  return forget;
}

/** A refusal, which a screen reader says at once, and a sign of computing. */
function note({ model, el }) {
  const refusal = make("div", { class: "vizlib-refusal", role: "alert" });
  const progress = make("progress", { "aria-label": "computing" });
  const sign = make("div", { class: "vizlib-sign" }, "computing…", progress);
  el.append(make("div", { class: "vizlib-note" }, refusal, sign));
  follow(model, ["says"], () => (refusal.textContent = model.get("says")));
  follow(model, ["busy"], () => {
    sign.classList.toggle("vizlib-busy", model.get("busy"));
    el.closest(".vizlib-explorer")?.setAttribute("aria-busy", model.get("busy"));
  });
  follow(model, ["items"], () => {
    const [done, all] = model.get("items");
    Object.assign(progress, { value: done, max: all, hidden: done === all });
    if (done < all) choose(model, (model.get("value") ?? 0) + 1); // asks Python for the rest
  });
}

/** A file, or where it is large its picture with sides of up to 1024 pixels: Jupyter cuts the
 * connection at ten megabytes. */
async function light(file) {
  if (file.size < 2e6) return file;
  try {
    const image = await createImageBitmap(file);
    const share = Math.min(1, 1024 / Math.max(image.width, image.height));
    const canvas = make("canvas", { width: Math.round(share * image.width) });
    canvas.height = Math.round(share * image.height);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve) => canvas.toBlob(resolve));
  } catch {
    return file.size < 8e6 ? file : file.slice(0, 1000); // vizlib says that it cannot be read
  }
}

/** A photograph of the reader's: chosen, dropped or pasted; its bytes go to "sheet". */
function photograph({ model, el }) {
  const file = make("input", { type: "file", accept: "image/*" });
  const name = make("span");
  const box = make(
    "label", { class: "vizlib-photograph", tabindex: 0 }, model.get("label"), " ", name, file);
  el.append(box);
  async function send(given = new File([], "nothing")) {
    name.textContent = given.name;
    model.set("says", given.name);
    model.set("sheet", new DataView(await (await light(given)).arrayBuffer()));
    model.set("value", (model.get("value") ?? 0) + 1); // the same file again counts, too
    model.save_changes();
  }
  file.addEventListener("click", () => (file.value = "")); // else the same file is no change
  file.addEventListener("change", () => file.files.length && send(file.files[0]));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === box) file.click();
  });
  box.addEventListener("paste", (event) => {
    event.preventDefault();
    event.stopPropagation();
    send(event.clipboardData.files[0]);
  });
  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    send(event.dataTransfer.files[0]);
  });
}

/** A number between two, or one of a few names in order. */
function slider({ model, el }) {
  const range = make("input", { type: "range" });
  const output = make("output");
  const { low, high, step, names } = model.get("items");
  Object.assign(range, { min: low, max: high, step });
  el.append(make("label", { class: "vizlib-slider" }, model.get("label"), range, output));
  function place() {
    range.value = model.get("value");
    output.textContent = names ? names[model.get("value")] : model.get("value");
    if (names) range.setAttribute("aria-valuetext", output.textContent);
  }
  range.addEventListener("input", () => choose(model, Number(range.value)));
  range.addEventListener("keydown", (event) => event.stopPropagation());
  follow(model, ["value"], place);
}

const KINDS = { tiles: choice, bars: choice, plane: choice, patch, view, photograph, slider, note };

export default { render: (context) => KINDS[context.model.get("kind")](context) };
