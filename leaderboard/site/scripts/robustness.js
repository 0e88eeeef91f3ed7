// What a platform does to an image, and what is left of an entry's numbers: a heat map over four treatments.

const HEAT_METRICS = { af1: "aF1", crr: "CRR", auc_af1_crr: "AUC aF1‑CRR", accuracy: "Accuracy", seen_accepted: "Seen accepted" };
const HEAT_MEANING = {
  af1: "How well seen generators are named, at the threshold.",
  crr: "Share of unseen generators' images that are refused. It also rises where everything is refused: read it beside aF1.",
  auc_af1_crr: "Area under the aF1‑CRR curve: naming and refusing at every threshold at once, so a shift of all scores costs nothing.",
  accuracy: "Share of seen images whose nearest generator is the right one, accepted or not.",
  seen_accepted: "Share of seen images that are accepted; the threshold was set to accept 95 % of clean validation images.",
};
let heatMetric = "af1";

const qualityText = (quality) => (quality === null ? "no JPEG" : `JPEG ${quality}`);
const blurText = (blur) => (blur === 0 ? "none" : `σ ${blur}`);
const resizeText = (resize) => (resize === 1 ? "none" : `× ${resize}`);
const isClean = (cell) => cell.quality === null && cell.phase === 0 && cell.resize === 1 && cell.blur === 0;
const cellKey = (quality, phase, resize, blur) => [quality, phase, resize, blur].join("/");
const cellText = (cell) => (isClean(cell) ? "clean: the benchmark's own crops"
  : [cell.blur ? `blurred, σ ${cell.blur} px` : null, cell.resize === 1 ? null : `resized × ${cell.resize}`,
    cell.phase ? `moved by ${cell.phase} px` : null, qualityText(cell.quality)].filter(Boolean).join(", "));

/** The values of each axis, the clean one first and harsher ones further away. */
function heatAxes(cells) {
  const values = (axis, order) => [...new Set(cells.map((cell) => cell[axis]))].sort((a, b) => order(a) - order(b));
  const same = (value) => value;
  return {
    qualities: values("quality", (value) => (value === null ? -101 : -value)),
    phases: values("phase", same), blurs: values("blur", same),
    resizes: values("resize", (value) => (value === 1 ? -1 : value)),
  };
}

function heatCell(cell, clean) {
  if (!cell) return el("td", { class: "not-measured" }, el("span", { "aria-hidden": "true" }, "–"), el("span", { class: "visually-hidden" }, "not measured"));
  const value = cell[heatMetric];
  const node = el("td", { class: isClean(cell) ? "clean" : null, "--v": Math.min(1, Math.max(0, value || 0)).toFixed(4) },
    fixed(value, 2), isClean(cell) ? el("span", { class: "visually-hidden" }, " (clean)") : null);
  const change = clean && isNumber(value) && isNumber(clean[heatMetric]) ? value - clean[heatMetric] : null;
  return withTip(node, () => el("div", {}, el("p", { class: "tip-title" }, cellText(cell)),
    el("p", {}, `${HEAT_METRICS[heatMetric]} ${fixed(value)}${change === null || isClean(cell) ? "" : `, ${change < 0 ? "−" : "+"}${fixed(Math.abs(change))} against clean`}`)));
}

function heatHead({ qualities, phases }) {
  return el("thead", {},
    el("tr", {}, el("th", { class: "axis", rowspan: 2, scope: "col" }, "Resize"), el("th", { class: "axis", rowspan: 2, scope: "col" }, "Blur"),
      qualities.map((quality) => el("th", { colspan: phases.length, scope: "colgroup" }, qualityText(quality)))),
    el("tr", {}, qualities.flatMap(() => phases.map((phase) => el("th", { class: "phase", scope: "col" }, `${phase} px`)))));
}

function heatBodies(cells, axes) {
  const found = new Map(cells.map((cell) => [cellKey(cell.quality, cell.phase, cell.resize, cell.blur), cell]));
  const clean = cells.find(isClean);
  const columns = axes.qualities.flatMap((quality) => axes.phases.map((phase) => [quality, phase]));
  return axes.resizes.map((resize) => el("tbody", {}, axes.blurs.map((blur, row) => el("tr", {},
    row === 0 ? el("th", { scope: "rowgroup", rowspan: axes.blurs.length }, resizeText(resize)) : null,
    el("th", { scope: "row" }, blurText(blur)),
    columns.map(([quality, phase]) => heatCell(found.get(cellKey(quality, phase, resize, blur)), clean))))));
}

function heatTable(cells) {
  const axes = heatAxes(cells);
  return el("table", { class: "heat" },
    el("caption", { class: "visually-hidden" }, `${HEAT_METRICS[heatMetric]} of laundered test images`),
    heatHead(axes), heatBodies(cells, axes));
}

function heatKey(cells) {
  const { qualities, phases, resizes, blurs } = heatAxes(cells);
  const absent = qualities.length * phases.length * resizes.length * blurs.length - cells.length;
  return el("div", { class: "hint key" },
    el("span", {}, "0", el("i", { class: "ramp" }), "1"), el("span", {}, el("i", { class: "ring" }), "clean"),
    absent ? el("span", {}, "– not measured, or stored images have no room for it: no pixel is invented") : null);
}

function robustnessBlocks(entry) {
  if (!entry.robustness || !entry.robustness.length) return [];
  const scroller = el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Robustness heat map" });
  const meaning = el("p", { class: "hint", "aria-live": "polite" });
  const buttons = Object.entries(HEAT_METRICS).map(([key, title]) =>
    el("button", { type: "button", "data-heat": key, onclick: () => { heatMetric = key; draw(); } }, title));
  const draw = () => {
    meaning.textContent = HEAT_MEANING[heatMetric];
    scroller.replaceChildren(heatTable(entry.robustness));
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.heat === heatMetric));
  };
  draw();
  return [el("div", { class: "panel robustness" },
    el("h3", {}, "What survives a platform"),
    el("p", { class: "hint" }, "The same test images after what a platform may do to them, in this order: blur (σ in pixels), resize, a crop that is moved by some "
      + "pixels (second line of the heading) against the JPEG grid they came with, JPEG compression. The model is the same, and so is the threshold: that of the clean validation images.",
    entry.seeds.length > 1 ? ` Means over ${entry.seeds.length} seeds.` : ""),
    el("div", { class: "choices", role: "group", "aria-label": "Metric of the heat map" }, buttons), meaning, scroller, heatKey(entry.robustness))];
}

addEntryPart(20, robustnessBlocks);
