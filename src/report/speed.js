"use strict";
// Time to a test error by method and number of workers, and the speed-up over one worker.

/** The lowest level that at least half of the rows reach with all their seeds. */
function defaultLevel() {
  const reaching = (level) => level.rows.filter((row) => row.reached === row.of).length;
  const most = Math.max(0, ...study.levels.map(reaching));
  return study.levels.findLastIndex((level) => 2 * reaching(level) >= most && reaching(level) > 0);
}

/** As in the curves, if these have a colour a method. */
function methodColour(method, place) {
  const axis = study.axes[chosen.colour];
  return `var(--c${
      (axis?.key === "algorithm.name" ? axis.values.indexOf(method) : place) % COLOURS})`;
}

/** A line a method: value(row) against the number of workers. */
function methodSeries(rows, value, interval) {
  const methods = [...new Set(rows.map((row) => row.method))];
  return methods
      .map((method, i) => {
        const own = rows.filter((row) => row.method === method && value(row) !== null);
        const dots = own.map((row) => {
          const [low, high] = interval(row) ?? [];
          return {x: row.workers, y: value(row), low, high};
        });
        return {
          label: method,
          colour: methodColour(method, i),
          dash: "",
          x: dots.map((d) => d.x),
          y: dots.map((d) => d.y),
          dots
        };
      })
      .filter((s) => s.x.length);
}

function drawSpeedCharts(box, rows, unit) {
  const xTicks = [...new Set(rows.map((row) => row.workers))].sort((a, b) => a - b);
  if (xTicks.length < 2) return;
  const grid = add(box, "div", {class: "grid"});
  const log = {x: true, y: true};
  lineChart(grid, `${unit} to the error`, {
    log,
    xTicks,
    yText: (v) => digits(v),
    xLabel: "workers",
    yLabel: unit,
    series: methodSeries(
        rows, (row) => row.seconds.mean, (row) => [row.seconds.smallest, row.seconds.largest])
  });
  const ups = methodSeries(rows, (row) => row.speed_up, (row) => row.interval);
  if (!ups.length)
    return add(
        grid, "p", {class: "note"},
        "No run with one worker has reached this error: there is nothing to say about speed-up.");
  const most = Math.max(...rows.map((row) => row.workers));
  if (most > 1)
    ups.push({
      label: "as many times as workers",
      colour: "var(--soft)",
      dash: "2 3",
      x: [1, most],
      y: [1, most]
    });
  lineChart(grid, "speed-up over one worker", {
    log,
    xTicks,
    yText: (v) => digits(v),
    xLabel: "workers",
    yLabel: "times as fast as one worker",
    series: ups
  });
}

function speedTable(box, rows, unit) {
  const columns = [
    {name: "method", word: true, value: (row) => row.method},
    {name: "workers", value: (row) => row.workers},
    {
      name: unit,
      value: (row) => row.seconds.mean,
      show: (cell, row) => {
        cell.textContent = digits(row.seconds.mean) +
            (row.seconds.count > 1 ? ` ± ${digits(row.seconds.deviation, 2)}` : "");
      }
    },
    {
      name: "seeds there",
      value: (row) => row.reached / row.of,
      show: (cell, row) => {
        cell.textContent = `${row.reached} of ${row.of}`;
      }
    },
    {
      name: "speed-up",
      value: (row) => row.speed_up,
      show: (cell, row) => {
        cell.textContent = row.baseline ? "1 (baseline)" :
            row.speed_up === null       ? "–" :
                                          digits(row.speed_up) + intervalText(row);
      }
    },
    {name: "quickest setting", word: true, value: (row) => study.groups[row.group].label},
  ];
  sortedTable(box, "speed", columns, rows);
}

sections.set("speed", (box) => {
  if (!study.levels.length) {
    add(box, "p", {class: "note"}, "No finished run has reached an error yet.");
    return;
  }
  const controls = add(box, "div", {class: "controls"});
  const inner = add(box, "div");
  const names = Object.fromEntries(
      study.levels.map((level, i) => [i, `${+ (100 * level.level).toPrecision(3)} %`]));
  const draw = (index) => {
    inner.replaceChildren();
    for (const isVirtual of [false, true]) {
      const rows = study.levels[index].rows.filter((row) => row.virtual === isVirtual);
      if (!rows.length) continue;
      const unit = isVirtual ? "virtual seconds" : "seconds";
      drawSpeedCharts(inner, rows, unit);
      speedTable(inner, rows, unit);
    }
    add(inner, "p", {class: "note"},
        "Of each method and number of workers the quickest setting, which flatters it. " +
            "Speed-up: geometric mean over the seeds that both have, with 95 % interval, " +
            "over the quickest setting of one worker.");
  };
  choice(controls, "test error", names, String(defaultLevel()), (value) => draw(+value));
  draw(defaultLevel());
});
