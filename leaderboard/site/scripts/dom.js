// Element builders and number formats. Everything that came from a run or a submission reaches the page through
// textContent or setAttribute on a fixed attribute, never through markup.

const SVG_NS = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG_NS, tag), attributes, children);
const byId = (id) => document.getElementById(id);

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const fixed = (value, digits = 3) => (isNumber(value) ? value.toFixed(digits) : "–");
const percent = (value) => (isNumber(value) ? `${(100 * value).toFixed(value > 0.995 || value === 0 ? 0 : 1)} %` : "–");
const range = (metric, digits = 2) =>
  metric && isNumber(metric.low) && isNumber(metric.high) ? `${fixed(metric.low, digits)}–${fixed(metric.high, digits)}` : "";
const grouped = (count) => count.toLocaleString("en").replaceAll(",", " ");

function list(words, last = "and") {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${last} ${words[words.length - 1]}`;
}

const webAddress = (address) => (typeof address === "string" && /^https?:\/\//i.test(address) ? address : null);

// --- tooltip -------------------------------------------------------------------------------------------------------

function showTip(content, x, y) {
  const tip = byId("tooltip");
  tip.replaceChildren(content);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 16 + width > innerWidth - 8 ? x - 16 - width : x + 16;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, Math.min(y + 12, innerHeight - height - 8))}px`;
}

const hideTip = () => { byId("tooltip").hidden = true; };

function withTip(node, content) {
  node.addEventListener("pointermove", (event) => showTip(content(), event.clientX, event.clientY));
  node.addEventListener("pointerleave", hideTip);
  return node;
}
