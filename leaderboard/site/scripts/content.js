// What an entry loses on content, or on weights, that no training image had: a table by training set or weights.

function contentRow(row) {
  const who = row.openness === "seen" ? "Seen generators" : "Unseen generators";
  return el("tr", { class: row.held_out ? "held-out" : null },
    el("th", { scope: "row" }, `${row.part}, ${row.held_out ? "held out" : "not held out"}`),
    el("td", {}, `${who}, ${row.split === "val" ? "validation" : "test"}`), el("td", { class: "number" }, grouped(row.images)),
    el("td", { class: "number" }, isNumber(row.accuracy) ? fixed(row.accuracy) : "–"),
    el("td", { class: "number" }, fixed(row.rejected)));
}

function contentBlocks(entry) {
  if (!entry.content || !entry.content.length) return [];
  const heads = ["Training set or weights", "Images of", "Images", "Accuracy", "Rejected"];
  return [el("div", { class: "panel content" },
    el("h3", {}, "What something held out costs"),
    el("p", { class: "hint" }, "One training set, or one of the weights of every family, is held out of training. Validation images stand for what was trained on; they also set the threshold, "
      + "so at most 5 % of them are rejected. Accuracy: share of seen images whose nearest generator is the right one, accepted or not.",
    entry.seeds.length > 1 ? ` Means over ${entry.seeds.length} seeds.` : ""),
    el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Answers by what is held out" },
      el("table", { class: "plain" },
        el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, entry.content.map(contentRow)))))];
}

addEntryPart(10, contentBlocks);
