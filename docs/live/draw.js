// Numbers -> pixels of a canvas.

export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A canvas with its picture: `colour(i)` gives [red, green, blue, alpha] of pixel number i, 0..255.
export function canvas([height, width], colour, alt = null) {
  const made = make("canvas", alt === null ? {} : { role: "img", "aria-label": alt });
  Object.assign(made, { height, width });
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) image.data.set(colour(i), 4 * i);
  made.getContext("2d").putImageData(image, 0, 0);
  return made;
}

export const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
export const size = (values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);

// What is above zero, as vizlib.show.overlay: nothing where the map is zero, more of the colour
// where it is large.
export function heat(values, colours) {
  const top = Math.max(largest(values), 0) || 1;
  return (i) => {
    const level = Math.min(Math.max(values[i] / top, 0), 1);
    return [...entry(colours.heat, level), 255 * 0.9 * Math.sqrt(level)];
  };
}

// A signed map of one channel: blue below zero, red above.
export function diverging(values, colours) {
  const top = size(values) || 1;
  return (i) => {
    const level = values[i] / top;
    return [...entry(colours.diverging, (1 + level) / 2), 255 * 0.9 * Math.sqrt(Math.abs(level))];
  };
}

// A map's values from dark to bright, zero and below dark.
export function plain(values, colours) {
  const top = Math.max(largest(values), 0) || 1;
  return (i) => [...entry(colours.sequential, Math.max(values[i] / top, 0)), 255];
}

// A signed map (H, W, 3), as vizlib.show.signed: grey is zero. `order` says which of its channels
// is red, green, blue. Its few largest values are drawn as bright as the one they exceed.
export function signed(values, order, share = 0.99) {
  const ordered = Float32Array.from(values, Math.abs).sort();
  const top = ordered[Math.floor(share * (ordered.length - 1))] || ordered.at(-1) || 1;
  return (i) => {
    const shown = [0, 0, 0, 255];
    for (let c = 0; c < 3; c++) shown[order[c]] = 127.5 + (127.5 * values[3 * i + c]) / top;
    return shown;
  };
}

const entry = (table, level) => table[Math.round(255 * level)];
