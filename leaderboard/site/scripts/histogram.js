// Fig. 1 of Fang et al. (2023) for a chosen entry: how far each source's images lie from the class they were given.

const ridge = { width: 560, height: 46 };

function ridgePath(counts) {
  const peak = Math.max(...counts, 1);
  const x = (i) => ((i / counts.length) * ridge.width).toFixed(1);
  const y = (count) => (ridge.height - 1 - (count / peak) * (ridge.height - 6)).toFixed(1);
  const steps = counts.map((count, i) => `L${x(i)} ${y(count)}L${x(i + 1)} ${y(count)}`).join("");
  return `M0 ${ridge.height - 1}${steps}L${ridge.width} ${ridge.height - 1}Z`;
}

function ridgeRow(histogram, group) {
  const { edges, threshold } = histogram;
  const share = (value) => (value - edges[0]) / (edges[edges.length - 1] - edges[0]);
  const cut = isNumber(threshold) ? share(threshold) * ridge.width : null;
  const total = group.counts.reduce((sum, count) => sum + count, 0);
  const drawing = svg("svg", { viewBox: `0 0 ${ridge.width} ${ridge.height}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${titleOf(group.generator)}: ${percent(group.accepted)} of ${total} accepted` },
    cut !== null && cut < ridge.width ? svg("rect", { class: "reject-zone", x: Math.max(0, cut), y: 0, width: ridge.width - Math.max(0, cut), height: ridge.height }) : null,
    svg("line", { class: "base", x1: 0, x2: ridge.width, y1: ridge.height - 0.5, y2: ridge.height - 0.5 }),
    svg("path", { class: `ridge ${group.openness}`, d: ridgePath(group.counts) }),
    cut !== null && cut >= 0 && cut <= ridge.width ? svg("line", { class: "cut", x1: cut, x2: cut, y1: 0, y2: ridge.height }) : null);
  withTip(drawing, () => el("div", {}, el("p", { class: "tip-title" }, titleOf(group.generator)),
    el("p", {}, `${grouped(total)} test images, ${percent(group.accepted)} accepted as seen`)));
  return el("div", { class: "ridge-row" },
    el("span", { class: `ridge-name ${group.openness}` }, titleOf(group.generator)), drawing,
    el("span", { class: "ridge-share number" }, percent(group.accepted)));
}

function axisTicks(edges) {
  const [low, high] = [edges[0], edges[edges.length - 1]];
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) ticks.push(value);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step))) };
}

function ridgeAxis(histogram) {
  const { edges } = histogram;
  const { ticks, digits } = axisTicks(edges);
  const at = (value) => (100 * (value - edges[0])) / (edges[edges.length - 1] - edges[0]);
  return el("div", { class: "ridge-row axis", "aria-hidden": "true" }, el("span"),
    el("div", { class: "ridge-axis" }, ticks.map((value) => el("span", { "--at": `${at(value).toFixed(2)}%` }, (value === 0 ? 0 : value).toFixed(digits)))),
    el("span"));
}

function histogramBlock(entry) {
  const { histogram } = entry;
  if (!histogram) {
    return el("div", { class: "panel" }, el("h3", {}, "Distance of every source"),
      el("p", { class: "hint" }, "This rule gives every image the same known score, so there is no distribution to show: it accepts everything."));
  }
  return el("div", { class: "panel" },
    el("h3", {}, entry.normalised_distance ? "Normalised distance of every source" : "Unfamiliarity of every source"),
    el("p", { class: "hint" }, entry.normalised_distance
      ? `Distance to the reference point of the named class in units of its standard deviation: test images, seed ${histogram.seed}. Right of the line is rejected.`
      : `The negative of the known score of this rule: test images, seed ${histogram.seed}. Right of the line is rejected.`),
    el("div", { class: "ridges" },
      el("div", { class: "ridge-row head" }, el("span"), el("span"), el("span", {}, "accepted")),
      histogram.groups.map((group) => ridgeRow(histogram, group)), ridgeAxis(histogram)));
}
