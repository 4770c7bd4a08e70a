"use strict";
// The figure over every pair of axes.

const MOST_MAPS = 12, MOST_VALUES = 30, BINS = 8;
const heatView = {
  others: "best"
};

const importance = (axis) => {
  const place = [
    "algorithm.tau", "algorithm.rho", "algorithm.beta", "algorithm.alpha", "algorithm.name",
    "workers.devices", "algorithm.learning_rate"
  ].indexOf(axis.key);
  return place < 0 ? 99 : place;
};

/** Which of its BINS equal parts, or parts of equal ratios, a number of an axis falls into. */
function binned(axis) {
  const numbers = axis.values.filter((value) => value !== "").map(Number);
  if (numbers.length < 2 || numbers.some(isNaN)) return null;
  const low = Math.min(...numbers), high = Math.max(...numbers), isLog = low > 0 && high > 20 * low;
  const share = (v) => isLog ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low);
  const edge = (i) => isLog ? low * (high / low) ** (i / BINS) : low + (high - low) * i / BINS;
  const short = (v) => String(+v.toPrecision(2));
  return {
    ...axis,
    values: Array.from({length: BINS}, (_, i) => `${short(edge(i))}…${short(edge(i + 1))}`),
    place: (v) => v === "" ? -1 : Math.min(BINS - 1, Math.floor(BINS * share(Number(v))))
  };
}

/** The axis with its rows or columns; null if it has more names than can be read. */
function shownAxis(axis, a) {
  const own = {...axis, a};
  if (axis.values.length > MOST_VALUES) return binned(own);
  return {...own, place: (v) => axis.values.indexOf(v)};
}

const placeOf = (axis, group) => axis.place(group.values[axis.a]);

/** Whether x has several values beside one of y; else it follows from it. */
const vary = (x, y) => y.values.some(
    (_, j) =>
        new Set(study.groups.filter((g) => placeOf(y, g) === j).map((g) => placeOf(x, g))).size >
        1);

function axisPairs() {
  const usable = study.axes.map(shownAxis).filter((axis) => axis && axis.values.length > 1);
  usable.sort((x, y) => importance(x) - importance(y));
  const pairs = [];
  usable.forEach((x, i) => usable.slice(i + 1).forEach((y) => {
    if (vary(x, y) && vary(y, x)) pairs.push([x, y]);
  }));
  return pairs.sort(
      ([a, b], [c, d]) => importance(a) + importance(b) - importance(c) - importance(d));
}

/** [row of y][column of x] -> {value, groups} or undefined. */
function cellsOf(x, y) {
  const shown = shownGroups().filter((g) => meanOf(g) !== null);
  return y.values.map((_, j) => x.values.map((_, i) => {
    const groups = shown.filter((g) => placeOf(x, g) === i && placeOf(y, g) === j);
    if (!groups.length) return undefined;
    const means = groups.map(meanOf);
    const value = heatView.others === "best" ? Math.min(...means) :
                                               means.reduce((a, b) => a + b) / means.length;
    return {value, groups};
  }));
}

function drawHeat(svg, width, x, y) {
  const cells = cellsOf(x, y),
        all = cells.flat().filter(Boolean).map((c) => c.value).sort((a, b) => a - b);
  const label = Math.min(120, 16 + 6.4 * Math.max(...y.values.map((v) => shortValue(v).length), 3));
  const cell = Math.min((width - label) / x.values.length, 92),
        height = Math.min(Math.max(24, cell * 0.6), 44);
  const low = all[0], high = all[all.length - 1];
  const share = (v) => logShare(v, low, high);
  addSvg(svg, "text", {x: 0, y: 12, class: "strong"}, `${shortKey(y.key)} ↓  ${shortKey(x.key)} →`);
  const skip = Math.ceil((Math.max(...x.values.map((v) => shortValue(v).length)) * 6.6 + 6) / cell);
  x.values.forEach((v, i) => {
    if (i % skip === 0)
      addSvg(
          svg, "text", {x: label + (i + 0.5) * cell, y: 32, "text-anchor": "middle"},
          shortValue(v));
  });
  y.values.forEach((v, j) => {
    const top = 40 + j * height;
    addSvg(
        svg, "text", {x: label - 8, y: top + height / 2 + 4, "text-anchor": "end"},
        shortValue(v).slice(0, 17));
    cells[j].forEach((c, i) => {
      const left = label + i * cell;
      if (!c) {
        addSvg(
            svg, "text", {x: left + cell / 2, y: top + height / 2 + 4, "text-anchor": "middle"},
            "·");
        return;
      }
      const mark = addSvg(svg, "rect", {
        x: left + 1,
        y: top + 1,
        width: Math.max(cell - 2, 1),
        height: height - 2,
        rx: 3,
        fill: heatColour(share(c.value))
      });
      const text = cell >= 38 ? (100 * c.value).toFixed(cell < 46 ? 0 : 1) : "";
      addSvg(
          svg, "text", {
            x: left + cell / 2,
            y: top + height / 2 + 4,
            "text-anchor": "middle",
            style: `fill:${inkOn(share(c.value))};pointer-events:none;${
                c.value === low ? "font-weight:700" : ""}`
          },
          text);
      const best = byMean(c.groups)[0];
      tipText(
          mark,
          `${percent(c.value)}; ${plural(c.groups.length, "setting")}, the lowest ${best.label}: ${
              spreadText(best[chosen.measure].spread)}`);
    });
  });
  return 48 + y.values.length * height;
}

function sayLeftOut(pairs) {
  const names =
      study.axes.filter((axis, a) => !shownAxis(axis, a)).map((axis) => shortKey(axis.key));
  const parts = pairs.map(([x, y]) => `${shortKey(x.key)} and ${shortKey(y.key)}`);
  const left = [...parts, ...names];
  return left.length ? ` Not drawn, for want of room: ${left.join("; ")}.` : "";
}

sections.set("heat", (box) => {
  const all = axisPairs(), pairs = all.slice(0, MOST_MAPS);
  if (!pairs.length) {
    add(box, "p", {class: "note"},
        "It takes two keys that differ between the runs, neither of which follows from the other.");
    return;
  }
  const controls = add(box, "div", {class: "controls"});
  const grid = add(box, "div", {class: "grid small"});
  const draw = () => {
    grid.replaceChildren();
    for (const [x, y] of pairs)
      if (cellsOf(x, y).flat().some(Boolean))
        picture(
            grid, `${shortKey(x.key)} and ${shortKey(y.key)}`,
            (svg, width) => drawHeat(svg, width, x, y));
  };
  choice(
      controls, "of all settings with both values", {best: "the lowest", mean: "the mean"},
      heatView.others, (value) => {
        heatView.others = value;
        draw();
      });
  draw();
  add(box, "p", {class: "note"},
      `Mean ${MEASURES[chosen.measure]} over seeds, in percent; the lowest is bold. Dark is low.` +
          ` Numbers of more than ${MOST_VALUES} values are drawn in ${BINS} parts.` +
          sayLeftOut(all.slice(MOST_MAPS)));
});
