// The board's data, the chosen entry, and how an entry looks wherever it appears.

const board = JSON.parse(byId("board-data").textContent);
const entries = board.entries;

// One hue per method, one dash pattern per rejection rule: the same network with two rules reads as one family.
const DASHES = ["", "7 4", "2 4", "10 4 2 4", "4 2", "14 5", "1 3", "6 2 1 2", "3 6", "10 3 2 3 2 3", "18 4", "1 6", "5 5 1 5"];
const methods = [...new Set(entries.map((entry) => entry.method))];
const looks = new Map();
for (const method of methods) {
  entries.filter((entry) => entry.method === method).forEach((entry, index) => {
    looks.set(entry.id, { hue: methods.indexOf(method) % 8, dash: DASHES[index % DASHES.length] });
  });
}
const hueOf = (entry) => `var(--hue-${looks.get(entry.id).hue})`;

const titleOf = (generator) => (Object.hasOwn(board.titles, generator) ? board.titles[generator] : generator);
const labelOf = (entry) =>
  [entry.name, entry.rule, entry.variant].filter(Boolean).join("\u00a0· "); // never a line that starts with the dot

/** Every fit by the rule that it is ranked by: what a crowded board shows first. */
const leading = entries.filter((entry) => entry.primary_rule);

function swatch(entry, width = 26) {
  return svg("svg", { class: "swatch", viewBox: `0 0 ${width} 8`, width, height: 8, "aria-hidden": "true" },
    svg("line", { x1: 1, x2: width - 1, y1: 4, y2: 4, "--stroke": hueOf(entry), "stroke-dasharray": looks.get(entry.id).dash }));
}

function metricOf(entry, key) {
  if (key === "laundering") return entry.laundering?.score;
  if (!key.includes("/")) return entry.metrics[key];
  const [generator, name] = [key.slice(0, key.lastIndexOf("/")), key.slice(key.lastIndexOf("/") + 1)];
  return (Object.hasOwn(entry.per_generator, generator) && entry.per_generator[generator][name]) || undefined;
}

const metricTitle = (key) => (Object.hasOwn(board.metrics, key) ? board.metrics[key].title : key);
const lowerIsBetter = (key) => Object.hasOwn(board.metrics, key) && board.metrics[key].lower_is_better;

// What a script draws, once the data are there: a new section is one more script, named in no other.
const starters = [];
const onStart = (starter) => starters.push(starter);

/** Parts of an entry's section below its card, in the order of `place`. */
const entryParts = [];
const addEntryPart = (place, blocks) => entryParts.push({ place, blocks });

// --- the chosen entry and its permalink ----------------------------------------------------------------------------

const listeners = [];
const onChoose = (listener) => listeners.push(listener);
const linkOf = (entry) => `#entry=${encodeURIComponent(entry.id)}`;
let chosen = entries[0] || null;

function entryFromHash() {
  const match = /^#entry=(.*)$/.exec(location.hash);
  if (!match) return null;
  let wanted = match[1];
  try { wanted = decodeURIComponent(match[1]); } catch { /* a mangled link names no entry */ }
  const found = entries.find((entry) => entry.id === wanted);
  if (found) return found;
  const alike = entries.filter((entry) => entry.id.startsWith(`${wanted}/`)); // a link without the hash of its settings
  return alike.length === 1 ? alike[0] : null;
}

function choose(entry, { remember = true } = {}) {
  if (!entry) return;
  chosen = entry;
  if (remember) history.replaceState(null, "", linkOf(entry));
  for (const listener of listeners) listener(entry);
}

// --- light and dark ------------------------------------------------------------------------------------------------

function remembered(key) { try { return localStorage.getItem(key); } catch { return null; } }
function remember(key, value) { try { localStorage.setItem(key, value); } catch { /* private window: forget */ } }

function startTheme() {
  const button = byId("theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  let theme = remembered("osbench-theme");
  const isDark = () => (theme ? theme === "dark" : systemDark.matches);
  const apply = () => {
    const dark = isDark();
    if (theme) document.documentElement.dataset.theme = theme;
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(dark));
  };
  button.addEventListener("click", () => {
    theme = isDark() ? "light" : "dark";
    remember("osbench-theme", theme);
    apply();
  });
  systemDark.addEventListener("change", apply);
  if (theme !== "light" && theme !== "dark") theme = null;
  apply();
}
