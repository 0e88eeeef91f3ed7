// A metric against shots (Fig. 4 of Bongini et al., 2025): a line for each method, training-free ones across all shots.

const shotArea = { width: 720, height: 440, left: 52, right: 14, top: 14, bottom: 46 };

/** Logarithmic: from one shot to two is as far as from ten to twenty. */
function shotX(curves, shots) {
  const [first, last] = [curves.shots[0], curves.shots[curves.shots.length - 1]];
  const share = last > first ? Math.log(shots / first) / Math.log(last / first) : 0.5;
  return shotArea.left + share * (shotArea.width - shotArea.left - shotArea.right);
}
const shotY = (value) => shotArea.height - shotArea.bottom - value * (shotArea.height - shotArea.top - shotArea.bottom);

/** The hue of the method's entries on this board; a method that is on another fold's board alone gets one as well. */
function shotHue(line) {
  const known = methods.indexOf(line.method);
  const others = [...new Set(board.shots.flatMap((curves) => curves.lines.map((one) => one.method)))].filter((name) => !methods.includes(name));
  return `var(--hue-${(known >= 0 ? known : methods.length + others.indexOf(line.method)) % 8})`;
}

/** Dashes of a training-free line; several of one method share a hue, and each has its own dashes. */
function shotDash(curves, line) {
  if (!line.training_free) return null;
  const alike = curves.lines.filter((one) => one.training_free && one.method === line.method);
  return DASHES[1 + (alike.indexOf(line) % (DASHES.length - 1))];
}

/** The points that are drawn: those of a training-free line at the first and the last number of shots. */
function shotPoints(curves, line) {
  if (!line.training_free) return line.points;
  return [curves.shots[0], curves.shots[curves.shots.length - 1]].map((shots) => ({ ...line.points[0], shots }));
}

const shotPath = (curves, points, key) =>
  points.map((point, i) => `${i ? "L" : "M"}${shotX(curves, point.shots).toFixed(1)} ${shotY(point[key]).toFixed(1)}`).join("");

function shotBand(curves, points) {
  const back = points.toReversed().map((point) => `L${shotX(curves, point.shots).toFixed(1)} ${shotY(point.low).toFixed(1)}`).join("");
  return `${shotPath(curves, points, "high")}${back}Z`;
}

function shotAxes(curves) {
  const [first, last] = [curves.shots[0], curves.shots[curves.shots.length - 1]];
  const levels = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((tick) => [
    svg("line", { class: "grid", x1: shotX(curves, first), x2: shotX(curves, last), y1: shotY(tick), y2: shotY(tick) }),
    svg("text", { class: "tick-label", x: shotArea.left - 9, y: shotY(tick) + 4, "text-anchor": "end" }, tick.toFixed(1))]);
  const numbers = curves.shots.map((shots) =>
    svg("text", { class: "tick-label", x: shotX(curves, shots), y: shotY(0) + 19, "text-anchor": "middle" }, shots));
  return svg("g", { "aria-hidden": "true" }, levels, numbers,
    svg("text", { class: "axis-label", x: (shotArea.left + shotArea.width - shotArea.right) / 2, y: shotArea.height - 6, "text-anchor": "middle" }, "Shots: training images of every generator"),
    svg("text", { class: "axis-label", transform: `translate(13 ${shotY(0.5)}) rotate(-90)`, "text-anchor": "middle" }, metricTitle(curves.metric)));
}

function shotTip(line, point) {
  const repeats = Object.keys(point.repeats).length;
  return el("div", {}, el("p", { class: "tip-title" }, line.label),
    el("p", {}, `${line.training_free ? "training-free" : `${point.shots} shots`}: ${fixed(point.value)}${range(point) ? ` (${range(point)})` : ""}, ${repeats} repeat${repeats === 1 ? "" : "s"}`));
}

function shotLine(curves, line) {
  const points = shotPoints(curves, line).filter((point) => isNumber(point.value));
  const stroke = { "--stroke": shotHue(line) };
  const dots = line.training_free ? [] : points.map((point) => withTip(
    svg("circle", { class: "dot", cx: shotX(curves, point.shots), cy: shotY(point.value), r: 4, ...stroke }), () => shotTip(line, point)));
  const path = svg("path", { class: "curve", d: shotPath(curves, points, "value"), "stroke-dasharray": shotDash(curves, line), ...stroke });
  return svg("g", { class: "shot-line", "data-line": line.label },
    svg("path", { class: "curve-band", d: shotBand(curves, points), ...stroke }),
    line.training_free && points.length ? withTip(path, () => shotTip(line, points[0])) : path, dots);
}

function shotCrossing(curves, crossing) {
  const free = curves.lines.find((line) => line.label === crossing.training_free);
  if (!isNumber(crossing.shots) || crossing.shots <= crossing.fewest.shots || !isNumber(free.points[0].value)) return null;
  const mark = svg("circle", { class: "crossing", cx: shotX(curves, crossing.shots), cy: shotY(free.points[0].value), r: 3.5 });
  return withTip(mark, () => el("div", {}, el("p", { class: "tip-title" }, crossing.trained),
    el("p", {}, `above ${crossing.training_free} from ${shotPlace(curves, crossing, crossing.shots)} shots on`)));
}

function shotPlace(curves, crossing, value) {
  const own = curves.lines.find((line) => line.label === crossing.trained).points.map((point) => point.shots);
  if (!isNumber(value)) return `more than ${Math.max(...own)}`;
  return value <= Math.min(...own) ? `${Math.min(...own)} or fewer` : fixed(value, 1);
}

function shotLegend(curves) {
  return el("div", { class: "shot-legend" }, curves.lines.map((line) => el("div", {},
    svg("svg", { class: "swatch", viewBox: "0 0 30 8", width: 30, height: 8, "aria-hidden": "true" },
      svg("line", { x1: 1, x2: 29, y1: 4, y2: 4, "--stroke": shotHue(line), "stroke-dasharray": shotDash(curves, line) })),
    el("span", { class: "legend-name" }, line.label, line.training_free ? el("small", {}, "training-free") : null),
    el("span", { class: "number" }, fixed(line.points[line.points.length - 1].value)))));
}

function shotCrossings(curves) {
  if (!curves.crossings.length) return null;
  const difference = (gap) => `${fixed(gap.difference)} (${fixed(gap.low, 2)} to ${fixed(gap.high, 2)}) at ${gap.shots}`;
  const rows = curves.crossings.map((crossing) => {
    const [low, high] = [crossing.low, crossing.high].map((value) => shotPlace(curves, crossing, value));
    return el("tr", {}, el("th", { scope: "row" }, crossing.trained), el("td", {}, crossing.training_free),
      el("td", { class: "number" }, shotPlace(curves, crossing, crossing.shots)),
      el("td", { class: "number" }, low === high ? low : `${low} to ${high}`),
      el("td", { class: "number" }, difference(crossing.fewest)), el("td", { class: "number" }, difference(crossing.most)));
  });
  const heads = ["Trained method", "is above", "from shots on", "95 %", "Difference with the fewest shots", "and with the most"];
  return el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Where lines cross" },
    el("table", { class: "plain crossings" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows)));
}

function shotNote(curves) {
  const groups = curves.groups ? `${curves.groups} groups of test images are resampled` : "test images are resampled";
  const repeats = curves.repeats > 1 ? `, and what ${curves.repeats} repeats would change is added` : "; one repeat tells nothing of others";
  return `Lines: means over repeats. Bands: 95 % intervals of these means; ${groups}${repeats}. ${grouped(curves.images)} test images.`;
}

function shotPanel(curves) {
  return el("div", { class: "shot-panel" }, el("h3", {}, `${curves.classes} classes${curves.unseen.length ? `, unseen: ${list(curves.unseen.map(titleOf))}` : ""}`),
    el("div", { class: "curves" },
      el("figure", {}, svg("svg", { viewBox: `0 0 ${shotArea.width} ${shotArea.height}`, role: "img", "aria-label": `${metricTitle(curves.metric)} against shots` },
        shotAxes(curves), curves.lines.map((line) => shotLine(curves, line)), curves.crossings.map((crossing) => shotCrossing(curves, crossing)))),
      shotLegend(curves)),
    el("p", { class: "hint" }, shotNote(curves)), shotCrossings(curves));
}

function startShots() {
  const shown = board.shots || [];
  for (const part of [byId("shots"), byId("shots-link")]) part.hidden = !shown.length;
  byId("shots-body").replaceChildren(...shown.map(shotPanel));
}

onStart(startShots);
