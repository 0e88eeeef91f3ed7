// The words above the board, and the start of everything.

function findingSentence() {
  const ranked = entries.filter((entry) => entry.rank);
  const first = ranked[0] || leading.find((entry) => isNumber(entry.metrics[board.primary].estimate));
  if (!first) return "No entry has a valid score yet.";
  const score = first.metrics[board.primary];
  const what = board.unseen.length ? "has the largest area under the aF1‑CRR curve" : `is first by ${metricTitle(board.primary).toLowerCase()}`;
  const opening = [el("strong", {}, labelOf(first)), ` ${what}: ${fixed(score.estimate)}`, range(score) ? ` (${range(score)})` : "", ". "];
  if (board.ranks_note) return [...opening, board.ranks_note];
  const tied = ranked.slice(1).filter((entry) => entry.rank === first.rank);
  if (ranked.length === 1) return [...opening, "It is the only entry with a rank."];
  if (!tied.length) return [...opening, "On these generators every other ranked entry is surely below."];
  return [...opening, "Compared on the same images it cannot be told apart from ", list(tied.slice(0, 3).map(labelOf)), tied.length > 3 ? ` and ${tied.length - 3} more` : "", ", so the order among them is open."];
}

/** The crop of the dataset, and those of entries that saw others. */
function cropText() {
  if (!board.crop_size) return null;
  const side = (size) => `${size} × ${size} px`;
  const sizes = [...new Set(entries.map((entry) => entry.config.crop_size))].sort((a, b) => b - a);
  if (sizes.length === 1) return side(sizes[0]);
  return `${sizes.map(side).join(", ")}: see each entry`;
}

function startDefinitions() {
  const first = Object.keys(board.metrics).toSorted((a, b) => MAIN_METRICS.includes(b) - MAIN_METRICS.includes(a));
  byId("definitions").append(...first.map((key) =>
    el("div", {}, el("dt", {}, metricTitle(key)), el("dd", {}, board.metrics[key].definition))));
}

function startWords() {
  const counts = board.counts;
  if (!board.unseen.length) {
    byId("board-hint").textContent = `A closed set: nobody is unseen, so nothing is to be refused. Ranked by ${metricTitle(board.primary).toLowerCase()}, one row for each fit. Bold: entries that comparison on the same images cannot tell apart from the first.`;
  }
  byId("eyebrow").textContent = `${board.suite} suite · protocol ${board.protocol}${board.fold && board.fold !== board.protocol ? ` · ${board.fold}` : ""}`;
  byId("finding").replaceChildren(...[findingSentence()].flat().map((part) => (part instanceof Node ? part : document.createTextNode(part))));
  byId("facts").replaceChildren(...pairs([
    ["Seen", list(board.seen.map(titleOf))], ["Unseen", list(board.unseen.map(titleOf))],
    ["Test images", counts.test_seen === undefined ? null : `${grouped(counts.test_seen)} seen, ${counts.test_unseen ? grouped(counts.test_unseen) : "none"} unseen`],
    ["Training images", counts.train ? grouped(counts.train) : null], ["Crop", cropText()],
    ["Manifest", el("code", { title: board.manifest_id }, board.manifest_id.slice(0, 12))]]));
  byId("rule").textContent = board.threshold_rule;
  byId("provenance").textContent = `Built by osbench ${board.osbench_version}${board.created ? ` from runs made up to ${board.created.slice(0, 10)}` : ""}. Manifest ${board.manifest_id}.`;
  const few = leading.filter((entry) => entry.unranked).length;
  byId("board-note").textContent = board.ranks_note || (few ? `${few} of ${leading.length} fits have no rank: too few trainings, or no value. Hover over the dash to see why.` : "");
  if (board.refused.length) {
    byId("refused").replaceChildren(el("details", { class: "refused" }, el("summary", {}, `${board.refused.length} run${board.refused.length === 1 ? " or submission was" : "s or submissions were"} left out`),
      el("ul", {}, board.refused.map((item) => el("li", {}, el("code", {}, item.run), ` ${item.reason}`)))));
  }
}

function start() {
  startTheme();
  startWords();
  startDefinitions();
  for (const starter of starters) starter();
  const follow = () => {
    const entry = entryFromHash();
    if (entry) { choose(entry, { remember: false }); byId("entry").scrollIntoView(); }
  };
  addEventListener("hashchange", follow);
  addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  if (chosen) choose(entryFromHash() || chosen, { remember: false });
  if (entryFromHash()) byId("entry").scrollIntoView();
  document.documentElement.dataset.ready = "true";
}

start();
