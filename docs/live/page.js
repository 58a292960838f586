// The page: a network, a picture, what the network says of it, and a lens that looks inside.
import { ask } from "./compute/ask.js";
import { fetched, softmax } from "./compute/network.js";
import { make } from "./draw.js";
import { activations } from "./lenses/activations.js";
import { attack } from "./lenses/attack.js";
import { backprop } from "./lenses/backprop.js";
import { classMaps } from "./lenses/class_maps.js";
import { occlusion } from "./lenses/occlusion.js";
import { film, fitted, listen, opened, shipped } from "./pictures.js";

const $ = (id) => document.getElementById(id);
const LENSES = { occlusion, classMaps, backprop, activations, attack };
const ROWS = 5;

const state = { lens: "occlusion", network: null, picture: null, k: 0, kept: {} };
let index; // pictures and colours, as the page's maker wrote them
let turn = new AbortController(); // ends when another network, picture, class or lens is chosen

// What a lens may use. Its questions are answered only as long as nothing else is chosen.
function page() {
  const { signal } = turn;
  const { card, k, clean, pixels } = state;
  const current = (use) => (answer) => signal.aborted || use?.(answer);
  return {
    card, k, clean, pixels, signal, name: card.labels[k], colours: index.colours,
    stage: $("stage"), panel: $("panel"), mean: mean(pixels), say: aloud,
    kept: state.kept, // what a lens wants to find again
    // `progress` gets what comes before the last answer; `ended` is a signal that ends the work.
    ask: (question, progress, ended = signal) => new Promise((resolve) => {
      ask({ k, ...question }, { progress: current(progress), signal: ended })
        .then(current(resolve), current(fail)).finally(busy());
    }),
    // Bars of logits, and what a screen reader says of them once they stand still.
    says(logits, words) {
      bars(logits);
      aloud(words);
    },
    // The two classes that lead, in words.
    leaders: (logits) => ranked(softmax(logits)).slice(0, 2)
      .map(([p, class_]) => `${card.labels[class_]} ${p.toFixed(2)}`).join(", "),
    // A map over the picture, or none.
    lay(map, kind = "image") {
      $("stage").querySelector(".map")?.remove();
      if (!map) return;
      map.classList.add("map", kind);
      $("picture").after(map);
    },
    // The picture once more.
    copy() {
      const { width, height } = $("picture");
      const made = Object.assign(make("canvas"), { width, height });
      made.getContext("2d").drawImage($("picture"), 0, 0);
      return made;
    },
  };
}

// Pairs of a probability and its class, the largest first.
const ranked = (shares) => shares.map((p, class_) => [p, class_]).sort((a, b) => b[0] - a[0]);

// The mean colour of red, green, blue and alpha, pixel after pixel.
const mean = (pixels) => [0, 1, 2].map((c) =>
  pixels.reduce((sum, value, i) => sum + (i % 4 === c ? value : 0), 0) / (pixels.length / 4));

function say(words) {
  $("status").textContent = words;
  $("status").hidden = false;
}

const fail = (error) => say(error.message ?? error);

// The panel shows that it waits for an answer, once that takes a moment.
const waiting = new Set();
function busy() {
  const mine = setTimeout(() => $("panel").setAttribute("aria-busy", true), 250);
  waiting.add(mine);
  return () => {
    clearTimeout(mine);
    waiting.delete(mine);
    if (!waiting.size) $("panel").removeAttribute("aria-busy");
  };
}

let speaking;
function aloud(words) {
  clearTimeout(speaking);
  speaking = setTimeout(() => ($("aloud").textContent = words), 400);
}

// The five classes that lead without a change, with what they have now; then the chosen class and
// the one that leads now, if they are others.
function bars(logits) {
  const { card, clean, k } = state;
  const [before, now] = [softmax(clean), softmax(logits)];
  const first = ranked(before).slice(0, ROWS).map(([, class_]) => class_);
  const [[, leader]] = ranked(now);
  const shown = [...new Set([...first, k, leader])];
  while ($("bars").children.length > shown.length) $("bars").lastChild.remove();
  shown.forEach((class_, row) => {
    const item = $("bars").children[row] ?? $("bars").appendChild(bar());
    const button = item.firstChild;
    const [name, track, number] = button.children;
    button.dataset.k = class_;
    button.setAttribute("aria-pressed", class_ === k);
    button.classList.toggle("leads", class_ === leader);
    name.textContent = name.title = card.labels[class_];
    track.children[0].style.width = `${100 * now[class_]}%`;
    track.children[1].style.left = `calc(${100 * before[class_]}% - 1px)`;
    track.children[1].hidden = Math.abs(before[class_] - now[class_]) < 0.005;
    number.textContent = now[class_].toFixed(2);
  });
  const was = Math.abs(logits[k] - clean[k]) < 0.05 ? "" : `; before the change it was ${clean[k].toFixed(1)}`;
  $("logit").textContent = `The logit of ${card.labels[k]}, its score before the softmax, is ` +
    `${logits[k].toFixed(1)}${was}.`;
}

function bar() {
  const track = make("span", { class: "track" },
    make("span", { class: "bar" }), make("span", { class: "tick" }));
  const button = make("button", { type: "button" },
    make("span", { class: "name" }), track, make("span", { class: "number" }));
  button.addEventListener("click", () => about(Number(button.dataset.k)));
  return make("li", {}, button);
}

// The class that the maps are about.
function about(k) {
  state.k = k;
  look();
}

// The lens, opened anew for what is chosen.
function look() {
  turn.abort();
  turn = new AbortController();
  $("stage").replaceChildren($("picture"));
  $("panel").replaceChildren();
  $("unknown").textContent = "";
  draw(state.shown);
  bars(state.clean);
  for (const tab of $("tabs").children) {
    const selected = tab.dataset.lens === state.lens;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
    if (selected) $("panel").setAttribute("aria-labelledby", tab.id);
  }
  LENSES[state.lens].open(page());
}

function draw(shown) {
  const picture = $("picture");
  Object.assign(picture, { width: shown.width, height: shown.height });
  picture.getContext("2d").drawImage(shown, 0, 0);
  picture.setAttribute("aria-label", `The picture as the network gets it: ${state.picture.alt}`);
}

// Another network or picture: what does the network say? The last one chosen counts.
let chosen = 0;
let pending = {}; // what is chosen and not there yet
async function choose(change) {
  const mine = ++chosen;
  const { network, picture } = (pending = { ...state, ...pending, ...change });
  turn.abort();
  $("work").setAttribute("aria-busy", "true");
  try {
    const progress = ({ share }) => say(`The network is loading: ${Math.round(100 * share)} %.`);
    const { card } = await ask({ what: "network", name: network }, { progress });
    if (mine !== chosen) return;
    const image = await picture.load();
    const exact = picture.exact ? await picture.exact() : image;
    const { shown } = fitted(image, card.size);
    const { pixels } = fitted(exact, card.size);
    if (mine !== chosen) return;
    ask({ what: "picture", pixels });
    const { values: clean } = await ask({ what: "logits" });
    if (mine !== chosen) return;
    const [[, k]] = ranked(softmax(clean));
    const { square, scan, backprop, ...kept } = network === state.network ? state.kept : {};
    if (square) kept.square = { ...square, covers: false };
    Object.assign(state, { network, picture, card, shown, pixels, clean, k, kept });
    pending = {};
  } catch (error) {
    if (mine !== chosen) return;
    pending = {};
    fail(error);
    if (!state.card) return;
    $("network").value = state.network; // back to what was there
    ask({ what: "network", name: state.network });
    ask({ what: "picture", pixels: state.pixels });
    return look();
  } finally {
    if (mine === chosen) $("work").removeAttribute("aria-busy");
  }
  $("status").hidden = true;
  $("work").hidden = false;
  $("question").textContent = picture.question ?? "";
  $("credit").textContent = picture.credit ?? "";
  $("network").value = network;
  $("classes").replaceChildren(...state.card.labels.map((label) => make("option", { value: label })));
  strip();
  look();
}

// The pictures that a network knows, to press.
function strip() {
  const known = index.pictures.filter(({ networks }) => networks.includes(state.network));
  $("pictures").replaceChildren(...[...mine, ...known].map((picture) => {
    const image = make("img", { src: picture.small, alt: picture.alt });
    const pressed = picture.name === state.picture.name;
    const button = make("button", { type: "button", "aria-pressed": pressed, title: picture.alt }, image);
    button.addEventListener("click", () => choose({ picture }));
    return button;
  }));
}

// A picture of the site: what the network gets, and for a photograph a larger one for the eye.
function described(picture) {
  const exact = () => shipped(`pictures/${picture.name}.png`);
  const load = picture.credit ? () => shipped(`pictures/${picture.name}.webp`) : exact;
  return { ...picture, load, exact, small: `pictures/${picture.name}-small.webp` };
}

// The reader's last picture; it stays among those to press.
let mine = [];
async function own(open) {
  try {
    const bitmap = await open();
    const small = fitted(bitmap, [96, 96]).shown.toDataURL();
    mine = [{ name: "", alt: "your photograph", load: async () => bitmap, small }];
    choose({ picture: mine[0] });
  } catch (error) {
    fail(error);
  }
}

function tabs() {
  const made = Object.entries(LENSES).map(([lens, { title }]) => {
    const tab = make("button", { type: "button", role: "tab", id: `tab-${lens}` }, title);
    tab.setAttribute("aria-controls", "panel");
    tab.dataset.lens = lens;
    tab.addEventListener("click", () => {
      state.lens = lens;
      look();
    });
    return tab;
  });
  $("tabs").append(...made);
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const at = made.findIndex((tab) => tab.dataset.lens === state.lens);
    const next = made[(at + step + made.length) % made.length];
    next.click();
    next.focus();
  });
}

async function start() {
  await ask({ what: "start" });
  index = await (await fetched("pictures/index.json")).json();
  index.pictures = index.pictures.map(described);
  tabs();
  $("network").addEventListener("change", () => {
    const network = $("network").value;
    const first = index.pictures.find(({ networks }) => networks.includes(network));
    const keeps = !state.picture?.networks || state.picture.networks.includes(network);
    choose({ network, picture: keeps ? state.picture : first });
  });
  $("class").addEventListener("change", () => {
    const asked = $("class").value.trim();
    const k = state.card.labels.findIndex((label) => label.toLowerCase() === asked.toLowerCase());
    if (asked && k < 0) return ($("unknown").textContent = `This network has no class called ${asked}.`);
    $("class").value = "";
    if (asked) about(k);
  });
  listen($("file"), (file) => own(() => opened(file)));
  film({ open: $("camera"), box: $("filming"), shoot: $("shoot"), stop: $("stop") },
    (picture) => own(async () => picture), fail);
  await choose({ network: $("network").value, picture: index.pictures[0] });
}

start().catch(fail);
