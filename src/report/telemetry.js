"use strict";
// Distance to the center, staleness and speed, while the runs went on.

const TELEMETRY = [[1, "distance to the center"], [2, "staleness, versions"], [3, "images/s"]];

sections.set("telemetry", (box) => {
  const {telemetry} = curveData();
  const {groups} = curveGroups();
  const told = groups.filter((group) => group.runs.some((i) => telemetry[i][0].length > 1));
  if (!told.length) {
    add(box, "p", {class: "note"},
        "No run went on for long enough to tell: progress is written every few seconds.");
    return;
  }
  const series = (figure) =>
      told.map((group) => ({
                 label: group.label,
                 colour: colourOf(group),
                 dash: dashOf(group, told),
                 x: [],
                 y: [],
                 thin: group.runs.map((i) => ({x: telemetry[i][0], y: telemetry[i][figure]}))
                           .filter((t) => t.x.length),
               }));
  const grid = add(box, "div", {class: "grid three"});
  for (const [figure, label] of TELEMETRY)
    lineChart(grid, label, {
      series: series(figure),
      xLabel: "seconds of training",
      yLabel: label,
      yText: (v) => digits(v),
      fromZero: true,
      legend: false
    });
  legend(box, series(1));
  add(box, "p", {class: "note"},
      "A line a run, the mean over its workers. Distance: of a worker from the center " +
          "at its last exchange, in the 2-norm. " +
          "Staleness: versions of others between a worker's two exchanges.");
});
