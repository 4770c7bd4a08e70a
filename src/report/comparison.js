"use strict";
// The settings beside each other: means, spreads, and whether a difference is more than noise.

/** A dot a seed, a bar from the mean minus to the mean plus a standard deviation. */
function drawStrip(cell, group, low, high) {
  const spread = group[chosen.measure].spread;
  if (!spread.count) return;
  const width = 150, height = 18;
  const svg = addSvg(
      cell, "svg",
      {viewBox: `0 0 ${width} ${height}`, style: `width:${width}px;height:${height}px`});
  const x = scale(low, high, 5, width - 5, low > 0);
  const at = (v) => (low > 0 && v <= low ? 5 : Math.min(Math.max(x(v), 2), width - 2));
  addSvg(svg, "line", {class: "grid-line", x1: 0, x2: width, y1: 9, y2: 9});
  addSvg(svg, "line", {
    x1: at(spread.mean - spread.deviation),
    x2: at(spread.mean + spread.deviation),
    y1: 9,
    y2: 9,
    stroke: colourOf(group),
    "stroke-width": 6,
    "stroke-opacity": 0.3
  });
  for (const i of group.runs) {
    const run = study.runs[i];
    if (!isComplete(run) || run[chosen.measure] === null) continue;
    addSvg(svg, "circle", {cx: at(run[chosen.measure]), cy: 9, r: 2.6, fill: colourOf(group)});
  }
  const half =
      spread.count > 3 ? `; middle half ${percent(spread.lower)} to ${percent(spread.upper)}` : "";
  tipText(
      svg,
      `${group.label}: ${spreadText(spread)}, ${percent(spread.smallest)} to ${
          percent(spread.largest)}${half}`);
}

const isComplete = (run) => run.status === "done" || run.status === "diverged";

function differenceText(figure) {
  if (figure.verdict === "lowest" || !figure.pairs) return "";
  const interval =
      figure.interval ? ` [${points(figure.interval[0])}, ${points(figure.interval[1])}]` : "";
  return points(figure.difference) + interval;
}

function meanOver(group, value) {
  const values = group.runs.map((i) => study.runs[i])
                     .filter(isComplete)
                     .map(value)
                     .filter((v) => v !== null && v !== undefined);
  return values.length ? values.reduce((a, b) => a + b) / values.length : null;
}

sections.set("comparison", (box) => {
  const groups = byMean(shownGroups());
  const figures =
      groups.map((group) => group[chosen.measure].spread).filter((spread) => spread.count);
  const low = Math.min(...figures.map((s) => s.smallest));
  const high = Math.max(...figures.map((s) => s.largest), low + 1e-6);
  const isVirtual = (group) => group.runs.some((i) => study.runs[i].virtual_seconds !== undefined);
  const clocks = new Set(study.groups.map(isVirtual));
  const columns = [
    {
      name: "setting",
      word: true,
      value: (group) => group.label,
      show: (cell, group) => {
        add(cell, "span", {class: "swatch block", style: `background:${colourOf(group)}`});
        cell.append(group.label);
        if (group.unnamed) add(cell, "div", {class: "note"}, group.unnamed);
      }
    },
    {name: "seeds", value: (group) => group[chosen.measure].spread.count},
    {
      name: MEASURES[chosen.measure],
      value: meanOf,
      show: (cell, group) => {
        cell.textContent = spreadText(group[chosen.measure].spread);
      }
    },
    {name: "each seed", word: true, show: (cell, group) => drawStrip(cell, group, low, high)},
    {
      name: "above the lowest, points",
      value: (group) => (group[chosen.measure].pairs ? group[chosen.measure].difference : null),
      show: (cell, group) => {
        cell.textContent = differenceText(group[chosen.measure]);
      }
    },
    {
      name: "verdict",
      word: true,
      value: (group) => group[chosen.measure].verdict,
      show: (cell, group) => {
        const {verdict} = group[chosen.measure];
        const kind = verdict === "lowest" ? "best" : verdict === "higher" ? "higher" : "";
        add(cell, "span", {class: `verdict ${kind}`}, verdict);
      }
    },
    {
      name: clocks.size > 1 ? "training" :
          clocks.has(true)  ? "virtual s" :
                              "seconds",
      value: (group) => meanOver(group, (run) => run.virtual_seconds ?? run.wall_seconds),
      show: (cell, group) => {
        const unit = clocks.size < 2 ? "" : isVirtual(group) ? " virtual s" : " s";
        const mean = meanOver(group, (run) => run.virtual_seconds ?? run.wall_seconds);
        cell.textContent = digits(mean) + (mean === null ? "" : unit);
      }
    },
    {
      name: "images/s",
      value: (group) => meanOver(group, (run) => run.images_per_second),
      show: (cell, group) => {
        cell.textContent = digits(meanOver(group, (run) => run.images_per_second));
      }
    },
  ];
  sortedTable(box, "comparison", columns, groups, columns[2]);
  add(box, "p", {class: "note"},
      "Mean ± standard deviation over seeds. Differences are paired by seed, with 95 % " +
          "intervals of their mean (five pairs and more: bootstrap, else Student's t); “not distinguishable” where the interval holds 0. " +
          "The lowest of many is partly luck.");
});
