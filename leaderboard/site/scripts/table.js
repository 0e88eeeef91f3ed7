// The board: a table in the shape of Table 3 of Fang et al. (2023), sortable by any column.

const MAIN_METRICS = ["auc_af1_crr", "af1", "crr", "auroc", "oscr"].filter((key) => Object.hasOwn(board.metrics, key));
if (!MAIN_METRICS.includes(board.primary)) MAIN_METRICS.unshift(board.primary); // a closed set

function tableColumns() {
  const metric = (key, group, kind) => ({ key, group, kind, title: metricTitle(key) });
  const others = Object.keys(board.metrics).filter((key) => !MAIN_METRICS.includes(key));
  const perGenerator = (generators, name, group) =>
    generators.map((generator) => ({ key: `${generator}/${name}`, group, kind: "generator", title: titleOf(generator) }));
  const main = (key, group, kind) => (MAIN_METRICS.includes(key) && key !== board.primary ? [metric(key, group, kind)] : []);
  return [
    metric(board.primary, "rank", "main primary"),
    ...perGenerator(board.seen, "f1", "seen"), ...main("af1", "seen", "main mean"),
    ...perGenerator(board.unseen, "crr", "unseen"), ...main("crr", "unseen", "main mean"),
    ...main("auroc", "free", "main"), ...main("oscr", "free", "main"),
    ...(entries.some((entry) => entry.laundering) ? [{ key: "laundering", group: "laundered", kind: "main", title: "Mean aF1" }] : []),
    ...others.map((key) => metric(key, "more", board.unseen.length ? "more" : "main")),
  ];
}

const GROUP_TITLES = {
  rank: "", seen: "Seen generators: F1", unseen: "Unseen generators: rejected", free: "No threshold", laundered: "Laundered", more: "More",
};
const SHORT_GROUP_TITLES = { ...GROUP_TITLES, seen: "Seen", unseen: "Unseen" };

const columns = tableColumns();
const CROWDED = 30; // so many rows and more: the page begins with one rule of each fit
const view = { sort: "rank", descending: false, filter: "", leadingOnly: entries.length >= CROWDED };

function best(column, rows) {
  const sign = lowerIsBetter(column.key) ? -1 : 1;
  const values = rows.map((entry) => metricOf(entry, column.key)).filter((metric) => metric && isNumber(metric.estimate));
  return values.sort((a, b) => sign * (b.estimate - a.estimate))[0];
}

function tiesWithBest(column, metric, top) {
  if (!metric || !isNumber(metric.estimate) || !top) return false;
  if (metric.estimate === top.estimate) return true;
  const bounds = [metric.low, metric.high, top.low, top.high];
  return bounds.every(isNumber) && metric.low <= top.high && top.low <= metric.high;
}

function sortKey(entry) {
  if (view.sort === "rank") return entries.indexOf(entry);
  if (view.sort === "method") return labelOf(entry).toLowerCase();
  const metric = metricOf(entry, view.sort);
  return metric && isNumber(metric.estimate) ? metric.estimate : null;
}

function sortedEntries() {
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const pool = view.leadingOnly && !words.length ? leading : entries; // who asks for a name wants all that have it
  const rows = pool.filter((entry) => words.every((word) => labelOf(entry).toLowerCase().includes(word)));
  const sign = view.descending ? -1 : 1;
  return rows.sort((a, b) => {
    const [left, right] = [sortKey(a), sortKey(b)];
    if (left === null || right === null) return (left === null) - (right === null); // missing is last either way round
    return sign * (left < right ? -1 : left > right ? 1 : 0) || entries.indexOf(a) - entries.indexOf(b);
  });
}

function track(metric) {
  const at = (value) => (100 * Math.min(1, Math.max(0, value))).toFixed(2);
  const interval = isNumber(metric.low) && isNumber(metric.high);
  return svg("svg", { class: "track", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "rail", x: 0, y: 2.5, width: 100, height: 1 }),
    interval && svg("rect", { class: "band", x: at(metric.low), y: 1, width: Math.max(0.8, at(metric.high) - at(metric.low)), height: 4 }),
    svg("rect", { class: "tick", x: Math.min(98.2, Math.max(0, at(metric.estimate) - 0.9)), y: 0, width: 1.8, height: 6 }));
}

function valueCell(column, entry, top) {
  const metric = metricOf(entry, column.key);
  const classes = ["value", column.kind, `group-${column.group}`];
  if (!metric || !isNumber(metric.estimate)) {
    return el("td", { class: classes.join(" ") }, el("span", { class: "missing", title: "not defined for this entry" }, "–"));
  }
  const place = { [board.primary]: entry, laundering: entry.laundering }[column.key]; // the columns that rank
  const first = place ? place.rank_low === 1 : tiesWithBest(column, metric, top);
  if (first) classes.push("best");
  return el("td", { class: classes.join(" ") },
    el("span", { class: "number" }, fixed(metric.estimate)),
    el("span", { class: "interval" }, range(metric)),
    column.key === "laundering" ? launderedRank(place) : null,
    track(metric));
}

function launderedRank(place) {
  const possible = place.rank_low === place.rank_high ? "" : ` (${place.rank_low}–${place.rank_high})`;
  return place.rank
    ? el("span", { class: "place", title: "rank by what laundering leaves, and the ranks that are possible" }, `# ${place.rank}${possible}`)
    : el("span", { class: "place", title: `not ranked: ${place.unranked}` }, "# –");
}

function rankCell(entry) {
  const certain = entry.rank_low === entry.rank_high;
  return el("td", { class: "rank" },
    el("span", { class: "number", title: entry.unranked ? `not ranked: ${entry.unranked}` : null }, entry.rank ?? "–"),
    entry.rank && !certain
      ? el("span", { class: "interval", title: "ranks that are possible" }, `${entry.rank_low}–${entry.rank_high}`) : null,
    bestText(entry) ? el("span", { class: "interval", title: BEST_TITLE }, bestText(entry)) : null);
}

const BEST_TITLE = "probability of being the best of the ranked entries, on these generators: share of joint resamples of images and seeds";

/** Of an entry that may be the best one; null for all others. */
function bestText(entry) {
  const share = entry.probability_best;
  if (!isNumber(share) || share < 0.005) return null;
  return share > 0.995 ? "best > 99 %" : `best ${Math.round(100 * share)} %`;
}

function methodCell(entry) {
  const few = entry.primary_rule && entry.unranked !== "";
  return el("th", { scope: "row", class: "method" },
    el("a", { href: linkOf(entry) }, swatch(entry, 18), el("span", { class: "name" }, entry.name)),
    el("span", { class: "sub" },
      el("span", { class: "rule" }, entry.rule), entry.variant ? ` ${entry.variant}` : "", reproductionMark(entry.card || {}),
      el("span", { class: few ? "seeds few" : "seeds", title: few ? `not ranked: ${entry.unranked}` : null },
        `${entry.seeds.length} seed${entry.seeds.length === 1 ? "" : "s"}`)));
}

/** "partial: from scratch": the first words of what differs; all of it on the entry's page. */
function reproductionMark(card) {
  if (!card.reproduction || card.reproduction === "full") return null;
  const first = (card.differs || "").split(/[,;:]/)[0];
  return el("span", { class: `reproduction ${card.reproduction}`, title: card.differs || null }, [card.reproduction, first].filter(Boolean).join(": "));
}

function headerCell(key, title, classes) {
  const sorted = view.sort === key ? (view.descending ? "descending" : "ascending") : null;
  return el("th", { scope: "col", class: classes, "aria-sort": sorted || "none" },
    el("button", { type: "button", "data-sort": key, onclick: () => sortBy(key) },
      el("span", {}, title), el("span", { class: "arrow", "aria-hidden": "true" }, sorted ? (view.descending ? "↓" : "↑") : "")));
}

function groupRow() {
  const cells = [el("td", { colspan: 2, class: "corner" })];
  for (const group of ["rank", "seen", "unseen", "free", "laundered", "more"]) {
    const members = columns.filter((column) => column.group === group);
    if (!members.length) continue;
    const narrow = members.filter((column) => column.kind !== "generator").length;
    cells.push(el("th", { scope: "colgroup", class: `group group-${group}`, "data-group": group, "data-wide": members.length, "data-narrow": narrow },
      el("span")));
  }
  return el("tr", { class: "groups" }, cells);
}

function sortBy(key) {
  if (view.sort === key) view.descending = !view.descending;
  else {
    view.sort = key;
    view.descending = key !== "rank" && key !== "method" && !lowerIsBetter(key);
  }
  drawTable();
  document.querySelector(`#table [data-sort="${CSS.escape(key)}"]`)?.focus();
}

function drawTable() {
  const rows = sortedEntries();
  const tops = new Map(columns.map((column) => [column.key, best(column, entries)]));
  const body = rows.map((entry) => el("tr", { "data-entry": entry.id, class: entry === chosen ? "chosen" : null, onclick: (event) => {
    if (!event.target.closest("a")) choose(entry);
  } }, rankCell(entry), methodCell(entry), columns.map((column) => valueCell(column, entry, tops.get(column.key)))));
  byId("table").replaceChildren(
    el("caption", { class: "visually-hidden" }, "Methods by rank with their open-set metrics"),
    el("thead", {}, groupRow(), el("tr", {},
      headerCell("rank", "#", "rank"), headerCell("method", "Method", "method"),
      columns.map((column) => headerCell(column.key, column.title, `${column.kind} group-${column.group}`)))),
    el("tbody", {}, body.length ? body : el("tr", {}, el("td", { class: "empty", colspan: columns.length + 2 }, "No entry matches this filter."))));
  fitGroups();
}

// A colgroup header must span exactly the columns that are shown.
function fitGroups() {
  const table = byId("table");
  const wide = table.classList.contains("generators");
  for (const cell of table.querySelectorAll("th.group")) {
    cell.colSpan = Math.max(1, Number(wide ? cell.dataset.wide : cell.dataset.narrow));
    cell.firstChild.textContent = (wide ? GROUP_TITLES : SHORT_GROUP_TITLES)[cell.dataset.group];
  }
}

// --- CSV -----------------------------------------------------------------------------------------------------------

function csvText() {
  const quote = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // a spreadsheet must not run a name as a formula
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const header = ["rank", "rank_low", "rank_high", "probability_best", "unranked", "laundering_rank", "name", "method", "rule", "variant", "seeds",
    ...columns.flatMap((column) => [column.key, `${column.key}:low`, `${column.key}:high`])];
  const lines = sortedEntries().map((entry) => [entry.rank, entry.rank_low, entry.rank_high, entry.probability_best, entry.unranked, entry.laundering?.rank, entry.name, entry.method, entry.rule,
    entry.variant, entry.seeds.join(" "), ...columns.flatMap((column) => {
      const metric = metricOf(entry, column.key) || {};
      return [metric.estimate, metric.low, metric.high];
    })]);
  return [header, ...lines].map((line) => line.map(quote).join(",")).join("\r\n") + "\r\n";
}

function downloadCsv() {
  const address = URL.createObjectURL(new Blob([csvText()], { type: "text/csv;charset=utf-8" }));
  const link = el("a", { href: address, download: `osbench-${board.suite}-${board.protocol}.csv`.replace(/[^\w.-]+/g, "-") });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function startTable() {
  const table = byId("table");
  const bind = (id, className, initial) => {
    const box = byId(id);
    if (initial !== undefined) box.checked = initial;
    const apply = () => { table.classList.toggle(className, box.checked); fitGroups(); };
    box.addEventListener("change", apply);
    apply();
  };
  byId("leading-only").checked = view.leadingOnly;
  byId("leading-count").textContent = `(${leading.length} of ${entries.length})`;
  drawTable();
  bind("show-generators", "generators", innerWidth > 720);
  bind("show-intervals", "intervals");
  bind("show-more", "more-metrics");
  byId("filter").addEventListener("input", (event) => { view.filter = event.target.value; drawTable(); });
  byId("leading-only").addEventListener("change", (event) => { view.leadingOnly = event.target.checked; drawTable(); });
  byId("csv").addEventListener("click", downloadCsv);
  onChoose((entry) => {
    for (const row of table.querySelectorAll("tbody tr")) row.classList.toggle("chosen", row.dataset.entry === entry.id);
  });
}

onStart(startTable);
