// The page: a network, a picture, what the network says of it, and a lens that looks inside.
import { ask } from "./compute/ask.js";
import { softmax } from "./compute/network.js";
import { make } from "./draw.js";
import { activations } from "./lenses/activations.js";
import { attack } from "./lenses/attack.js";
import { backprop } from "./lenses/backprop.js";
import { classMaps } from "./lenses/class_maps.js";
import { occlusion } from "./lenses/occlusion.js";
import { fetched, film, fitted, listen, opened } from "./pictures.js";

const $ = (id) => document.getElementById(id);
const LENSES = { occlusion, classMaps, backprop, activations, attack };
const ROWS = 5;

const state = { lens: "occlusion", network: null, picture: null, k: 0 };
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
    // `progress` gets what comes before the last answer; `ended` is a signal that ends the work.
    ask: (question, progress, ended = signal) => new Promise((resolve) => {
      ask({ k, ...question }, { progress: current(progress), signal: ended })
        .then(current(resolve), current(fail));
    }),
    // Bars of logits, and what a screen reader says of them once they stand still.
    says(logits, words) {
      bars(softmax(logits));
      aloud(words);
    },
    // The two classes that lead, in words.
    leaders: (logits) => ranked(softmax(logits)).slice(0, 2)
      .map(([p, class_]) => `${card.labels[class_]} ${p.toFixed(2)}`).join(", "),
    // A map over the picture.
    lay(map, kind = "image") {
      $("stage").querySelector(".map")?.remove();
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

const fail = (error) => {
  $("status").textContent = error.message ?? error;
  $("status").hidden = false;
};

let speaking;
function aloud(words) {
  clearTimeout(speaking);
  speaking = setTimeout(() => ($("aloud").textContent = words), 400);
}

// The five classes that lead without a change, with what they have now; then the chosen class and
// the one that leads now, if they are others.
function bars(now) {
  const [before, { card }] = [softmax(state.clean), state];
  const first = ranked(before).slice(0, ROWS).map(([, class_]) => class_);
  const shown = [...new Set([...first, state.k, ranked(now)[0][1]])];
  while ($("bars").children.length > shown.length) $("bars").lastChild.remove();
  shown.forEach((class_, row) => {
    const item = $("bars").children[row] ?? $("bars").appendChild(bar());
    const button = item.firstChild;
    const [name, track, number] = button.children;
    button.dataset.k = class_;
    button.setAttribute("aria-pressed", class_ === state.k);
    name.textContent = name.title = card.labels[class_];
    track.children[0].style.width = `${100 * now[class_]}%`;
    track.children[1].style.left = `calc(${100 * before[class_]}% - 1px)`;
    track.children[1].hidden = Math.abs(before[class_] - now[class_]) < 0.005;
    number.textContent = now[class_].toFixed(2);
  });
}

function bar() {
  const track = make("span", { class: "track" },
    make("span", { class: "bar" }), make("span", { class: "tick" }));
  const button = make("button", { type: "button" },
    make("span", { class: "name" }), track, make("span", { class: "number" }));
  button.addEventListener("click", () => {
    state.k = Number(button.dataset.k);
    look();
  });
  return make("li", {}, button);
}

// The lens, opened anew for what is chosen.
function look() {
  turn.abort();
  turn = new AbortController();
  $("stage").replaceChildren($("picture"));
  $("panel").replaceChildren();
  draw(state.shown);
  bars(softmax(state.clean));
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
async function choose({ network = state.network, picture = state.picture }) {
  const mine = ++chosen;
  turn.abort();
  $("work").setAttribute("aria-busy", "true");
  try {
    const { card } = await ask({ what: "network", name: network });
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
    Object.assign(state, { network, picture, card, shown, pixels, clean, k });
  } catch (error) {
    if (mine !== chosen) return;
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
  $("credit").textContent = picture.credit ?? "";
  $("network").value = network;
  strip();
  look();
}

// The pictures that a network knows, to press.
function strip() {
  const known = index.pictures.filter(({ networks }) => networks.includes(state.network));
  $("pictures").replaceChildren(...known.map((picture) => {
    const image = make("img", { src: `pictures/${picture.name}-small.webp`, alt: picture.alt });
    const button = make("button", {
      type: "button", "aria-pressed": picture.name === state.picture.name, title: picture.alt,
    }, image);
    button.addEventListener("click", () => choose({ picture: shipped(picture) }));
    return button;
  }));
}

function shipped(picture) {
  const exact = () => fetched(`pictures/${picture.name}.png`);
  const load = picture.credit ? () => fetched(`pictures/${picture.name}.webp`) : exact;
  return { ...picture, load, exact };
}

const own = (load) => choose({ picture: { alt: "your photograph", load } });

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
  index = await (await fetch("pictures/index.json")).json();
  tabs();
  $("network").addEventListener("change", () => {
    const network = $("network").value;
    const first = index.pictures.find(({ networks }) => networks.includes(network));
    const keeps = !state.picture?.networks || state.picture.networks.includes(network);
    choose({ network, picture: keeps ? state.picture : shipped(first) });
  });
  listen($("file"), (file) => own(() => opened(file)));
  film({ open: $("camera"), box: $("filming"), shoot: $("shoot"), stop: $("stop") },
    (picture) => own(async () => picture), fail);
  await choose({ network: $("network").value, picture: shipped(index.pictures[0]) });
}

start().catch(fail);
