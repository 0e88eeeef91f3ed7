// One entry: its card, what its numbers allow to claim, its confusion matrix, its distances, its robustness.

function bullets(title, lines, className) {
  if (!lines || !lines.length) return null;
  return el("div", { class: className }, el("h4", {}, title), el("ul", {}, lines.map((line) => el("li", {}, line))));
}

function duration(seconds) {
  if (!isNumber(seconds)) return null;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function pairs(items) {
  return items.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}

function paperLine(card) {
  const address = webAddress(card.url);
  const text = card.paper || card.url;
  if (!text) return null;
  return el("p", { class: "paper" }, address ? el("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, text) : text);
}

function publishedLine(card) {
  const published = Object.entries(card.published || {});
  if (!published.length) return null;
  return el("p", { class: "hint" }, "Published by its authors on their own data, not comparable with this board: ",
    published.map(([name, value]) => `${metricTitle(name)} ${fixed(value)}`).join(", "), ".");
}

function cardBlock(entry) {
  const card = entry.card || {};
  return el("div", { class: "panel card" },
    el("h3", {}, card.title || entry.method), paperLine(card), publishedLine(card),
    el("div", { class: "two" },
      bullets("Faithful to the paper", card.faithful, "faithful"), bullets("Not the same", card.deviations, "deviations")),
    el("dl", { class: "facts small" }, pairs([
      ["Reproduction", reproductionText(card)], ["Tuning", card.tuning], ["Rejection", entry.rule], ["Not ranked", entry.unranked], ["Probability of being best", isNumber(entry.probability_best) ? `${fixed(entry.probability_best)} of the ranked entries, on these generators` : null], ["Options", optionsText(entry) || "defaults"], ["Seeds", `${entry.seeds.join(", ")}${entry.card.deterministic ? " (draws nothing at random)" : ""}`],
      ["Crop", `${entry.config.crop_size} × ${entry.config.crop_size} px`],
      ["Threshold", entry.threshold_rule], ["Input", card.input_range], ["Precision", entry.precision],
      ["Licence", card.licence], ["Hardware", entry.hardware], ["Time per seed", duration(entry.wall_time_s)],
      ["Seconds per image", costText(entry)],
      ["Code", el("code", { title: entry.code_sha256 }, entry.code_sha256.slice(0, 8))], ["Revision", revisionText(entry)],
      ["osbench", entry.osbench_version], ["Made", entry.created.slice(0, 10)],
      ["Runs", entry.runs.length ? el("details", {}, el("summary", {}, String(entry.runs.length)), entry.runs.map((run) => el("div", {}, el("code", {}, run)))) : null]])));
}

/** How far the method follows its source, with what differs. */
const reproductionText = (card) => [card.reproduction, card.differs].filter(Boolean).join(": ");

/** Options that differ from the method's defaults. */
function optionsText(entry) {
  const { options, defaults } = entry.config;
  return Object.keys(options).sort().filter((key) => !Object.hasOwn(defaults, key) || defaults[key] !== options[key])
    .map((key) => `${key}=${options[key]}`).join(", ");
}

const revisionText = (entry) => (entry.git ? `${entry.git.revision.slice(0, 12)}${entry.git.dirty ? " with changes" : ""}` : null);

/** What the dear parts of an answer cost, each for one image. */
const costText = (entry) => Object.entries(entry.seconds_per_image || {}).map(([part, seconds]) => `${part} ${seconds.toPrecision(2)}`).join(", ");

function whisker(metric, className) {
  const at = (value) => 100 * Math.min(1, Math.max(0, value));
  const known = metric && isNumber(metric.low) && isNumber(metric.high);
  return svg("svg", { class: `whisker ${className}`, viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "rail", x: 0, y: 6.5, width: 100, height: 1 }),
    known && svg("rect", { class: "band", x: at(metric.low), y: 3, width: Math.max(0.6, at(metric.high) - at(metric.low)), height: 8 }),
    metric && isNumber(metric.estimate) && svg("rect", { class: "tick", x: at(metric.estimate) - 0.4, y: 0, width: 0.8, height: 14 }));
}

function claimRow(title, metric, className, note) {
  return el("div", { class: "claim" },
    el("div", { class: "claim-head" }, el("span", {}, title), el("span", { class: "number" }, range(metric) || "cannot decide")),
    whisker(metric, className), note ? el("p", { class: "hint" }, note) : null);
}

function claimsBlock(entry) {
  if (!board.unseen.length) return null; // nobody to refuse
  const near = entry.metrics.crr;
  const far = entry.new_generator?.crr;
  const count = board.unseen.length;
  const known = far && isNumber(far.low);
  return el("div", { class: "panel claims" },
    el("h3", {}, "Refusing the unknown: what can be claimed"),
    el("p", { class: "big" }, el("span", { class: "number" }, fixed(near?.estimate)), " CRR"),
    claimRow("These generators", near, "near", `Other images of ${list(board.unseen.map(titleOf))}.`),
    claimRow("A new generator", far, "far",
      !known ? `${count} unseen generator${count === 1 ? "" : "s"} cannot tell: fewer than five, so no claim about generators outside this board.`
        : far.kind === "generators over folds" ? "Nineteen in twenty such generators, drawn like those that the folds of this protocol leave out in turn."
        : far.high - far.low > 0.6 ? `${count} unseen generators that differ this much cannot tell: no claim about generators outside this board.`
          : `Nineteen in twenty generators drawn like the ${count} unseen ones here.`));
}

// --- confusion -----------------------------------------------------------------------------------------------------

function confusionCell(entry, row, column, count, total) {
  const unseen = board.unseen.includes(row);
  const right = unseen ? column === "unknown" : column === row;
  const share = total ? count / total : 0;
  const cell = el("td", { class: `${right ? "right" : "wrong"}${column === "unknown" ? " unknown" : ""}`, "--v": share.toFixed(4) },
    share >= 0.0005 ? (100 * share).toFixed(share >= 0.0995 ? 0 : 1) : el("span", { class: "zero" }, "0"));
  return withTip(cell, () => el("div", {}, el("p", { class: "tip-title" }, `${titleOf(row)} → ${column === "unknown" ? "unknown" : titleOf(column)}`),
    el("p", {}, `${grouped(count)} of ${grouped(total)} test images${entry.seeds.length > 1 ? `, ${entry.seeds.length} seeds together` : ""}`)));
}

function confusionBlock(entry) {
  const { rows, columns: names, counts } = entry.confusion;
  const gap = () => el("td", { class: "gap" });
  const body = rows.flatMap((row, i) => {
    const total = counts[i].reduce((sum, count) => sum + count, 0);
    const unseen = board.unseen.includes(row);
    const first = unseen && i > 0 && !board.unseen.includes(rows[i - 1]);
    return [
      first ? el("tr", { "aria-hidden": "true" }, gap()) : null,
      el("tr", {}, el("th", { scope: "row", class: unseen ? "unseen" : "seen" }, titleOf(row)),
        names.map((column, j) => [column === "unknown" ? gap() : null, confusionCell(entry, row, column, counts[i][j], total)])),
    ];
  });
  const heads = names.map((name) => (name === "unknown"
    ? [gap(), el("th", { scope: "col", class: "unknown" }, el("em", {}, "unknown"))]
    : el("th", { scope: "col", class: "seen" }, titleOf(name))));
  return el("div", { class: "panel" },
    el("h3", {}, "Who is taken for whom"),
    el("p", { class: "hint" }, "Per cent of a true source (row) given each answer (column) at the threshold."),
    el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
      el("table", { class: "confusion" }, el("thead", {}, el("tr", {}, el("td"), heads)), el("tbody", {}, body))));
}

// --- all numbers ---------------------------------------------------------------------------------------------------

function numbersBlock(entry) {
  const line = (name, metric) => el("tr", {}, el("th", { scope: "row" }, name),
    el("td", { class: "number" }, fixed(metric.estimate, 4)), el("td", { class: "interval" }, range(metric, 4)));
  const names = { f1: "F1", crr: "CRR", auroc: "AUROC" };
  const perGenerator = Object.entries(entry.per_generator).flatMap(([generator, values]) =>
    Object.keys(names).filter((name) => values[name]).map((name) => line(`${titleOf(generator)} · ${names[name]}`, values[name])));
  return el("details", { class: "panel" }, el("summary", {}, "Every number of this entry"),
    el("div", { class: "two" },
      el("table", { class: "plain" }, el("tbody", {}, Object.entries(entry.metrics).map(([key, metric]) => line(metricTitle(key), metric)))),
      el("table", { class: "plain" }, el("tbody", {}, perGenerator))));
}

function checklistBlock(entry) {
  if (!entry.checklist || !entry.checklist.length) return null;
  const missing = entry.checklist.filter((item) => !item.ok).length;
  const line = (item) => el("tr", {}, el("td", { class: item.ok ? "faithful" : "missing" }, item.ok ? "yes" : "no"), el("th", { scope: "row" }, item.question), el("td", {}, item.found));
  return el("details", { class: "panel checklist" },
    el("summary", {}, `Getting these numbers again: ${missing ? `${missing} of ${entry.checklist.length} points are not recorded` : "all points are recorded"}`),
    el("table", { class: "plain" }, el("tbody", {}, entry.checklist.map(line))));
}

function drawEntry(entry) {
  byId("entry-body").replaceChildren(
    el("div", { class: "entry-grid" }, cardBlock(entry), claimsBlock(entry)),
    el("div", { class: "entry-grid even" }, confusionBlock(entry), histogramBlock(entry)),
    ...entryParts.toSorted((a, b) => a.place - b.place).flatMap((part) => part.blocks(entry)),
    ...[checklistBlock(entry)].filter(Boolean),
    numbersBlock(entry));
  byId("pick").value = entry.id;
}

function startEntry() {
  byId("pick").replaceChildren(...entries.map((entry) =>
    el("option", { value: entry.id }, `${entry.rank ?? "–"}  ${labelOf(entry)}`)));
  byId("pick").addEventListener("change", (event) => choose(entries.find((entry) => entry.id === event.target.value)));
  byId("permalink").addEventListener("click", async (event) => {
    const button = event.currentTarget;
    history.replaceState(null, "", linkOf(chosen));
    let copied = true;
    try { await navigator.clipboard.writeText(location.href); } catch { copied = false; }
    button.textContent = copied ? "Copied" : "In the address bar";
    setTimeout(() => { button.textContent = "Copy link"; }, 1600);
  });
  onChoose(drawEntry);
}

onStart(startEntry);
