// What the audit of the data set says, below the board: without it a high score cannot be read.

function auditVerdict(audit) {
  const failed = audit.gates.filter((gate) => !gate.ok);
  const shortcuts = failed.filter((gate) => gate.name !== "trace").map((gate) => gate.name);
  const named = shortcuts.length ? `Its generators are told apart without any trace (${list(shortcuts)}). ` : "No shortcut was found. ";
  const trace = audit.gates.find((gate) => gate.name === "trace");
  return named + (trace && !trace.ok ? "Not attributable: nothing here can be said of an architecture." : "Traces survive a change of weights.");
}

function auditRow(probe) {
  return el("tr", {}, el("th", { scope: "row" }, probe.name), el("td", {}, probe.title),
    el("td", { class: "number" }, fixed(probe.accuracy), el("span", { class: "interval" }, ` ${range(probe)}`)),
    el("td", { class: "number" }, fixed(probe.chance)), el("td", { class: "number" }, fixed(probe.auc_af1_crr)));
}

function gateRow(gate) {
  return el("tr", {}, el("th", { scope: "row" }, gate.name), el("td", { class: "number" }, fixed(gate.value)),
    el("td", { class: "number" }, fixed(gate.limit)), el("td", {}, gate.ok ? "holds" : "fails"), el("td", {}, gate.reason));
}

function auditTable(label, heads, rows) {
  return el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": label },
    el("table", { class: "plain" },
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows)));
}

onStart(() => {
  const audit = board.audit;
  if (!audit) return;
  byId("board").append(el("div", { class: "audit", id: "audit" },
    el("p", {}, el("strong", {}, "Audit of the data set: "), auditVerdict(audit)),
    el("details", {}, el("summary", {}, "Gates and probes"),
      auditTable("Gates of the audit", ["Gate", "Accuracy", "Limit", "", "Against"], audit.gates.map(gateRow)),
      auditTable("Probes of the audit", ["Probe", "Looks at", "Accuracy", "Chance", "AUC aF1‑CRR"], audit.probes.map(auditRow)))));
});
