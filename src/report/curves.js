"use strict";
// Error and loss against time, epochs and exchanges.

const BASES = ["seconds", "epochs", "exchanges"];
const FIGURES = {
  0: "test error",
  1: "test loss",
  2: "training loss"
};
const MOST_CURVES = 12;
const curveView = {
  figure: "0",
  logX: false,
  logY: false,
  whole: false
};

/** The settings whose curves are drawn: the best of each colour first. */
function curveGroups() {
  const {runs} = curveData();
  const drawable =
      byMean(shownGroups()).filter((group) => group.runs.some((i) => runs[i][0].length));
  const rank = new Map(), seen = new Map();
  for (const group of drawable) {
    const place = placeOfColour(group);
    seen.set(place, (seen.get(place) ?? 0) + 1);
    rank.set(group, seen.get(place));
  }
  const first = [...drawable].sort((a, b) => rank.get(a) - rank.get(b)).slice(0, MOST_CURVES);
  return {groups: first.sort((a, b) => a.index - b.index), all: drawable.length};
}

function curveSeries(groups, base, figure) {
  const {runs, bands} = curveData();
  return groups.map((group) => {
    const [x, y, low, high] = bands[group.index]?.[base][figure] ?? [[], [], [], []];
    const thin = group.runs.map((i) => ({x: runs[i][base], y: runs[i][3 + figure]}))
                     .filter((t) => t.x.length);
    return {
      label: group.label,
      colour: colourOf(group),
      dash: dashOf(group, groups),
      x,
      y,
      low,
      high,
      thin
    };
  });
}

/** Virtual and real seconds are never in one picture. */
function clocks(groups) {
  const isVirtual = (group) => settingOf(study.runs[group.runs[0]], "center.order") === "virtual";
  const kinds =
      [["seconds of training", (group) => !isVirtual(group)], ["virtual seconds", isVirtual]];
  return kinds.map(([label, test]) => ({label, groups: groups.filter(test)}))
      .filter((clock) => clock.groups.length);
}

function drawCurves(box) {
  const {groups, all} = curveGroups();
  const grid = add(box, "div", {class: "grid three"});
  const figure = +curveView.figure;
  const draw = (name, base, xLabel, some) => lineChart(grid, name, {
    series: curveSeries(some, base, figure),
    xLabel,
    yLabel: figure === 0 ? "test error, %" : FIGURES[figure],
    yText: figure === 0 ? (v) => digits(100 * v) : (v) => digits(v),
    log: {x: curveView.logX, y: curveView.logY},
    fromZero: true,
    top: curveView.whole ? null : ({y0}) => (figure === 0 ? Math.max(3 * y0, y0 + 0.02) : 6 * y0),
    empty: "no evaluation yet",
    legend: false,
  });
  for (const clock of clocks(groups))
    draw(`${FIGURES[figure]} against ${clock.label}`, 0, clock.label, clock.groups);
  for (const base of [1, 2])
    draw(
        `${FIGURES[figure]} against ${BASES[base]}`, base,
        BASES[base] === "epochs" ? "epochs, all workers together" : "exchanges", groups);
  legend(box, curveSeries(groups, 1, figure));
  const many = all > groups.length ?
      `The best of each colour, ${groups.length} of ${all} settings; choose others above. ` :
      "";
  add(box, "p", {class: "note"},
      `${many}A strong line is the mean over seeds, as far as all of them go; its band reaches ` +
          "from the lowest to the highest seed (from eight seeds on, over their middle half); " +
          "thin lines are the seeds.");
}

sections.set("curves", (box) => {
  const controls = add(box, "div", {class: "controls"});
  const inner = add(box, "div");
  const again = () => {
    inner.replaceChildren();
    drawCurves(inner);
  };
  choice(controls, "", FIGURES, curveView.figure, (value) => {
    curveView.figure = value;
    again();
  });
  toggle(controls, "x logarithmic", curveView.logX, (on) => {
    curveView.logX = on;
    again();
  });
  toggle(controls, "y logarithmic", curveView.logY, (on) => {
    curveView.logY = on;
    again();
  });
  toggle(controls, "whole range", curveView.whole, (on) => {
    curveView.whole = on;
    again();
  });
  again();
});
