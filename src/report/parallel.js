"use strict";
// A line a setting across all axes, coloured by the figure.

const MOST_AXES = 8, MOST_LINES = 600;

/** From blue, which is low, to orange: both are seen on light and on dark. */
const mixed = (share) => `color-mix(in srgb, var(--c1) ${Math.round(100 * share)}%, var(--c0))`;

function drawParallel(svg, width, groups) {
  const axes = study.axes.map((axis, a) => ({...axis, a}))
                   .filter((axis) => axis.values.length > 1)
                   .slice(0, MOST_AXES);
  const top = 38, bottom = 300, last = axes.length;
  const means = groups.map(meanOf), low = Math.min(...means), high = Math.max(...means);
  const left =
      14 + 7 * Math.max(...axes[0].values.map((v) => shortValue(v).slice(0, 14).length), 3);
  const x = (i) => left + (i * (width - left - 58)) / Math.max(last, 1);
  const y = (axis, value) =>
      bottom - ((axis.values.indexOf(value) + 0.5) / axis.values.length) * (bottom - top);
  const yMean = scale(low, high, bottom, top);
  const lines = addSvg(svg, "g", {fill: "none"});
  for (const group of [...groups].reverse()) {
    const points =
        axes.map((axis, i) => `${x(i).toFixed(1)},${y(axis, group.values[axis.a]).toFixed(1)}`);
    points.push(`${x(last).toFixed(1)},${yMean(meanOf(group)).toFixed(1)}`);
    const line = addSvg(lines, "polyline", {
      points: points.join(" "),
      stroke: mixed(logShare(meanOf(group), low, high)),
      "stroke-width": 2.4,
      "stroke-opacity": 0.85
    });
    line.addEventListener("pointermove", (event) => {
      tip(event, (box) => {
        box.textContent = `${group.label}: ${spreadText(group[chosen.measure].spread)}`;
      });
      for (const other of lines.children) other.classList.toggle("faded", other !== line);
    });
    line.addEventListener("pointerleave", () => {
      hideTip();
      for (const other of lines.children) other.classList.remove("faded");
    });
  }
  axes.forEach((axis, i) => {
    addSvg(svg, "line", {class: "axis-line", x1: x(i), x2: x(i), y1: top, y2: bottom});
    addSvg(
        svg, "text", {x: x(i), y: i % 2 ? 26 : 12, "text-anchor": "middle", class: "strong"},
        shortKey(axis.key));
    const skip = Math.ceil(axis.values.length / 12);
    axis.values.forEach((value, j) => {
      if (j % skip === 0)
        addSvg(
            svg, "text", {x: x(i) - 5, y: y(axis, value) + 4, "text-anchor": "end", class: "halo"},
            shortValue(value).slice(0, 14));
    });
  });
  addSvg(svg, "line", {class: "axis-line", x1: x(last), x2: x(last), y1: top, y2: bottom});
  addSvg(svg, "text", {x: width, y: 26, "text-anchor": "end", class: "strong"}, "error, %");
  for (const v of ticks(low, high, 5))
    addSvg(svg, "text", {x: x(last) + 7, y: yMean(v) + 4}, digits(100 * v));
  return bottom + 14;
}

sections.set("parallel", (box) => {
  const groups = byMean(shownGroups()).filter((group) => meanOf(group) !== null);
  if (!groups.length || !study.axes.some((axis) => axis.values.length > 1)) {
    add(box, "p", {class: "note"}, "It takes finished runs that differ.");
    return;
  }
  const some = groups.slice(0, MOST_LINES);
  const figure = add(box, "div", {class: "scroll"});
  const inner =
      add(figure, "div", {style: `min-width:${90 * Math.min(study.axes.length, MOST_AXES)}px`});
  picture(inner, "parallel coordinates", (svg, width) => drawParallel(svg, width, some));
  add(box, "p", {class: "note"},
      `A line is a setting: blue where its ${
          MEASURES[chosen.measure]} is low, orange where it is high.` +
          (some.length < groups.length ? ` The best ${some.length} of ${groups.length} are drawn.` :
                                         ""));
});
