// aF1 against CRR over every threshold, all entries in one chart.

const narrowScreen = matchMedia("(max-width: 640px)");
const chart = { width: 720, height: 500, left: 52, right: 14, top: 14, bottom: 46, hidden: new Set(), hover: null };
const chartX = (value) => chart.left + value * (chart.width - chart.left - chart.right);
const chartY = (value) => chart.height - chart.bottom - value * (chart.height - chart.top - chart.bottom);

const curvePath = (xs, ys) => xs.map((x, i) => `${i ? "L" : "M"}${chartX(x).toFixed(1)} ${chartY(ys[i]).toFixed(1)}`).join("");

function bandPath(curve) {
  const back = curve.crr.map((x, i) => [x, curve.low[i]]).reverse();
  return `${curvePath(curve.crr, curve.high)}${back.map(([x, y]) => `L${chartX(x).toFixed(1)} ${chartY(y).toFixed(1)}`).join("")}Z`;
}

/** aF1 of a curve at one CRR, linear between its points. */
function valueAt(curve, crr) {
  const right = curve.crr.findIndex((x) => x >= crr);
  if (right < 0) return curve.af1[curve.af1.length - 1];
  if (right === 0) return curve.af1[0];
  const span = curve.crr[right] - curve.crr[right - 1];
  const share = span > 0 ? (crr - curve.crr[right - 1]) / span : 1;
  return curve.af1[right - 1] + share * (curve.af1[right] - curve.af1[right - 1]);
}

const drawn = () => entries.filter((entry) => entry.curve && !chart.hidden.has(entry.id));

function chartAxes() {
  const parts = [];
  for (const tick of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    parts.push(
      svg("line", { class: "grid", x1: chartX(0), x2: chartX(1), y1: chartY(tick), y2: chartY(tick) }),
      svg("line", { class: "grid", x1: chartX(tick), x2: chartX(tick), y1: chartY(0), y2: chartY(1) }),
      svg("text", { class: "tick-label", x: chartX(0) - 9, y: chartY(tick) + 4, "text-anchor": "end" }, tick.toFixed(1)),
      svg("text", { class: "tick-label", x: chartX(tick), y: chartY(0) + 19, "text-anchor": "middle" }, tick.toFixed(1)));
  }
  parts.push(
    svg("text", { class: "axis-label", x: chartX(0.5), y: chart.height - 6, "text-anchor": "middle" },
      narrowScreen.matches ? "CRR: unseen images refused" : "CRR: unseen images refused (mean over unseen generators)"),
    svg("text", { class: "axis-label", transform: `translate(13 ${chartY(0.5)}) rotate(-90)`, "text-anchor": "middle" }, "aF1: seen generators named"));
  return svg("g", { "aria-hidden": "true" }, parts);
}

function drawChart() {
  [chart.width, chart.height] = narrowScreen.matches ? [400, 340] : [720, 500]; // so that text keeps its size
  const visible = drawn();
  const ordered = [...visible.filter((entry) => entry !== chosen), ...visible.filter((entry) => entry === chosen)];
  const lines = ordered.flatMap((entry) => {
    const { curve } = entry;
    const focus = entry === (chart.hover || chosen);
    return [
      entry === chosen && curve.low.length ? svg("path", { class: "curve-band", d: bandPath(curve), "--stroke": hueOf(entry) }) : null,
      svg("path", { class: focus ? "curve focus" : "curve", d: curvePath(curve.crr, curve.af1), "--stroke": hueOf(entry), "stroke-dasharray": looks.get(entry.id).dash }),
      isNumber(entry.metrics.crr?.estimate) && isNumber(entry.metrics.af1?.estimate)
        ? svg("circle", { class: focus ? "dot focus" : "dot", cx: chartX(entry.metrics.crr.estimate), cy: chartY(entry.metrics.af1.estimate), r: focus ? 5.5 : 4, "--stroke": hueOf(entry) }) : null,
    ];
  });
  const cross = svg("g", { id: "cross", visibility: "hidden" }, svg("line", { class: "cross", y1: chartY(0), y2: chartY(1) }));
  byId("chart").replaceChildren(svg("svg", { viewBox: `0 0 ${chart.width} ${chart.height}`, role: "img", "aria-labelledby": "curves-title" },
    chartAxes(), lines, cross));
}

function readings(crr) {
  return drawn().map((entry) => ({ entry, af1: valueAt(entry.curve, crr) })).sort((a, b) => b.af1 - a.af1);
}

function tipAt(crr, nearest) {
  const rows = readings(crr).map(({ entry, af1 }) => el("tr", { class: entry === nearest ? "near" : null },
    el("td", {}, swatch(entry, 22)), el("th", { scope: "row" }, labelOf(entry)), el("td", { class: "number" }, fixed(af1))));
  return el("div", {}, el("p", { class: "tip-title" }, `aF1 at CRR ${fixed(crr, 2)}`), el("table", {}, rows));
}

function moveCross(crr) {
  const cross = byId("cross");
  cross.setAttribute("visibility", "visible");
  cross.firstChild.setAttribute("x1", chartX(crr));
  cross.firstChild.setAttribute("x2", chartX(crr));
}

function hideCross() {
  byId("cross")?.setAttribute("visibility", "hidden");
  if (chart.hover) { chart.hover = null; drawChart(); }
  hideTip();
}

function trackPointer(event) {
  const box = byId("chart").querySelector("svg").getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * chart.width;
  const y = ((event.clientY - box.top) / box.height) * chart.height;
  const crr = (x - chart.left) / (chart.width - chart.left - chart.right);
  if (crr < 0 || crr > 1) { hideCross(); return; }
  const near = readings(crr).sort((a, b) => Math.abs(chartY(a.af1) - y) - Math.abs(chartY(b.af1) - y))[0];
  const hover = near && Math.abs(chartY(near.af1) - y) < 24 ? near.entry : null;
  if (hover !== chart.hover) { chart.hover = hover; drawChart(); }
  moveCross(crr);
  showTip(tipAt(crr, hover), event.clientX, event.clientY);
}

function stepWithKeys(event) {
  const step = { ArrowLeft: -0.05, ArrowRight: 0.05 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  chart.reading = Math.min(1, Math.max(0, Math.round(((chart.reading ?? 0.5) + step) * 100) / 100));
  moveCross(chart.reading);
  const box = byId("chart").getBoundingClientRect();
  showTip(tipAt(chart.reading, chosen), box.left + (chartX(chart.reading) / chart.width) * box.width, box.top + 40);
  byId("chart-readout").textContent = `CRR ${fixed(chart.reading, 2)}: ${readings(chart.reading).map(({ entry, af1 }) => `${labelOf(entry)} ${fixed(af1, 2)}`).join("; ")}`;
}

/** Ten curves can be told apart; of more, each fit's ranking rule and its plain "never" come first. */
function showFirst() {
  if (entries.length <= 10) return;
  for (const entry of entries) {
    if (!leading.includes(entry) && entry.rule !== "never") chart.hidden.add(entry.id);
  }
}

function showOnly(shown) {
  chart.hidden = new Set(entries.filter((entry) => !shown.includes(entry)).map((entry) => entry.id));
  drawChart();
  drawLegend();
}

function legendChoices() {
  if (leading.length === entries.length) return null;
  return el("div", { class: "legend-choices" },
    el("button", { type: "button", onclick: () => showOnly(leading) }, "One rule of each fit"),
    el("button", { type: "button", onclick: () => showOnly(entries) }, "All"));
}

function drawLegend() {
  const choices = legendChoices();
  byId("legend").replaceChildren(...(choices ? [choices] : []), ...entries.map((entry) => el("button", {
    type: "button", "aria-pressed": String(!chart.hidden.has(entry.id)), class: entry === chosen ? "chosen" : null, disabled: !entry.curve,
    onclick: (event) => {
      if (!chart.hidden.delete(entry.id)) chart.hidden.add(entry.id);
      event.currentTarget.setAttribute("aria-pressed", String(!chart.hidden.has(entry.id)));
      drawChart();
    },
    onpointerenter: () => { chart.hover = entry; drawChart(); }, onpointerleave: hideCross,
    onfocus: () => { chart.hover = entry; drawChart(); }, onblur: hideCross,
  }, swatch(entry, 30), el("span", { class: "legend-name" }, entry.name, el("small", {}, entry.rule, entry.variant ? ` · ${entry.variant}` : "")),
  el("span", { class: "number" }, fixed(entry.metrics.auc_af1_crr?.estimate)))));
}

function startCurves() {
  const figure = byId("chart");
  const drawable = entries.some((entry) => entry.curve); // without unseen images there is nothing to refuse
  for (const part of [byId("curves"), byId("curves-link")]) part.hidden = !drawable;
  if (!drawable) return;
  showFirst();
  drawChart();
  drawLegend();
  figure.addEventListener("pointermove", trackPointer);
  figure.addEventListener("pointerleave", hideCross);
  figure.addEventListener("keydown", stepWithKeys);
  figure.addEventListener("blur", hideCross);
  narrowScreen.addEventListener("change", drawChart);
  onChoose((entry) => { chart.hidden.delete(entry.id); drawChart(); drawLegend(); });
}

onStart(startCurves);
