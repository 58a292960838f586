// Questions to the worker, and its answers: ask({what: "cam", k: 3}) -> {values, shape, ...}.

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let asked = 0;

// `progress` gets what comes before the last answer; `signal` ends what takes long.
export function ask(question, { progress, signal } = {}) {
  const id = ++asked;
  worker.postMessage({ id, ...question });
  signal?.addEventListener("abort", () => worker.postMessage({ what: "cancel", cancel: id }));
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject, progress }));
}

worker.onmessage = ({ data }) => {
  const { resolve, reject, progress } = waiting.get(data.id);
  if (!data.done && !data.error) return progress?.(data);
  waiting.delete(data.id);
  return data.error ? reject(new Error(data.error)) : resolve(data);
};

worker.onerror = (event) => {
  event.preventDefault();
  for (const { reject } of waiting.values()) reject(new Error(event.message || "no worker"));
  waiting.clear();
};
