"use strict";
// Lines with bands over x. A series: {label, colour, dash, x, y, low, high, thin: [{x, y}]}.

function extent(series, log) {
  const box = {x0: Infinity, x1: -Infinity, y0: Infinity, y1: -Infinity};
  const take = (xs, ys) => xs.forEach((x, i) => {
    const y = ys[i];
    if (x == null || y == null || (log.x && x <= 0) || (log.y && y <= 0)) return;
    box.x0 = Math.min(box.x0, x);
    box.x1 = Math.max(box.x1, x);
    box.y0 = Math.min(box.y0, y);
    box.y1 = Math.max(box.y1, y);
  });
  for (const s of series) {
    if (s.x.length) {
      take(s.x, s.y);
      take(s.x, s.low ?? []);
      take(s.x, s.high ?? []);
    }
    for (const t of s.thin ?? []) take(t.x, t.y);
    for (const dot of s.dots ?? []) take([dot.x, dot.x], [dot.low, dot.high]);
  }
  return box;
}

function pathOf(xs, ys, sx, sy) {
  let path = "", pen = "M";
  xs.forEach((x, i) => {
    const px = x === null || ys[i] === null ? NaN : sx(x), py = ys[i] === null ? NaN : sy(ys[i]);
    if (!Number.isFinite(px) || !Number.isFinite(py)) {
      pen = "M";
      return;
    }
    path += `${pen}${px.toFixed(1)} ${py.toFixed(1)}`;
    pen = "L";
  });
  return path;
}

function bandPath(s, sx, sy) {
  const back = [...s.x.keys()].reverse();
  return `${pathOf(s.x, s.high, sx, sy)}${
      pathOf(back.map((i) => s.x[i]), back.map((i) => s.low[i]), sx, sy).replace("M", "L")}Z`;
}

let clips = 0;
function drawAxes(svg, plot, options) {
  const {left, right, top, bottom, sx, sy, box, log} = plot;
  for (const v of ticks(box.y0, box.y1, 5, log.y)) {
    addSvg(svg, "line", {class: "grid-line", x1: left, x2: right, y1: sy(v), y2: sy(v)});
    addSvg(svg, "text", {x: left - 7, y: sy(v) + 4, "text-anchor": "end"}, options.yText(v));
  }
  for (const v of options.xTicks ??
       ticks(box.x0, box.x1, Math.max(3, (right - left) / 90), log.x)) {
    addSvg(svg, "line", {class: "axis-line", x1: sx(v), x2: sx(v), y1: bottom, y2: bottom + 4});
    addSvg(svg, "text", {x: sx(v), y: bottom + 17, "text-anchor": "middle"}, digits(v));
  }
  addSvg(svg, "line", {class: "axis-line", x1: left, x2: right, y1: bottom, y2: bottom});
  addSvg(
      svg, "text", {x: (left + right) / 2, y: bottom + 35, "text-anchor": "middle"},
      options.xLabel);
  addSvg(svg, "text", {x: 0, y: top - 9, class: "strong"}, options.yLabel);
}

/** Nearest point of a series to x. */
function valueAt(s, x) {
  const own = s.x.length ? s : (s.thin?.[0] ?? s);
  let best = -1;
  own.x.forEach((v, i) => {
    if (v !== null && (best < 0 || Math.abs(v - x) < Math.abs(own.x[best] - x))) best = i;
  });
  return best < 0 ? null : {
    x: own.x[best],
    y: own.y[best],
    low: s.x.length ? s.low?.[best] : undefined,
    high: s.high?.[best]
  };
}

function follow(svg, plot, series, options, marks) {
  const cursor = addSvg(
      svg, "line", {class: "axis-line", y1: plot.top, y2: plot.bottom, visibility: "hidden"});
  const area = addSvg(svg, "rect", {
    x: plot.left,
    y: plot.top,
    width: plot.right - plot.left,
    height: plot.bottom - plot.top,
    fill: "transparent"
  });
  area.addEventListener("pointermove", (event) => {
    const share = (event.offsetX - plot.left) / (plot.right - plot.left);
    const {x0, x1} = plot.box;
    const x = plot.log.x ? x0 * (x1 / x0) ** share : x0 + share * (x1 - x0);
    cursor.setAttribute("x1", event.offsetX);
    cursor.setAttribute("x2", event.offsetX);
    cursor.setAttribute("visibility", "visible");
    const found =
        series.map((s) => ({s, at: valueAt(s, x)})).filter((f) => f.at && f.at.y !== null);
    const distance = (f) =>
        Math.abs(plot.sy(f.at.y) - event.offsetY) + Math.abs(plot.sx(f.at.x) - event.offsetX);
    found.sort((a, b) => distance(a) - distance(b));
    const nearest = found[0]?.s;
    for (const [s, mark] of marks)
      mark.classList.toggle("faded", series.length > 3 && s !== nearest);
    tip(event, (box) => {
      add(box, "div", {}, `${digits(x)} ${options.xLabel}`);
      for (const {s, at} of found.slice(0, 6)) {
        const line = add(box, "div");
        add(line, "span", {class: "swatch", style: `border-color:${s.colour}`});
        const band = at.low === undefined || at.low === null ?
            "" :
            ` (${options.yText(at.low)} to ${options.yText(at.high)})`;
        line.append(`${s.label}: ${options.yText(at.y)}${band}`);
      }
    });
  });
  area.addEventListener("pointerleave", () => {
    hideTip();
    cursor.setAttribute("visibility", "hidden");
    for (const [, mark] of marks) mark.classList.remove("faded");
  });
}

function drawLines(svg, width, options) {
  const {series} = options, log = options.log ?? {};
  const height = Math.round(Math.min(380, Math.max(230, width * 0.55)));
  const box = extent(series, log);
  if (!(box.x0 <= box.x1)) {
    addSvg(
        svg, "text", {x: width / 2, y: 60, "text-anchor": "middle"},
        options.empty ?? "nothing to draw");
    return 110;
  }
  if (options.top) box.y1 = Math.min(box.y1, options.top(box));
  if (options.fromZero && !log.x) box.x0 = 0;
  if (box.y0 === box.y1) {
    box.y0 -= Math.abs(box.y0) * 0.05 || 1;
    box.y1 += Math.abs(box.y1) * 0.05 || 1;
  }
  if (!log.y) {
    const room = 0.04 * (box.y1 - box.y0);
    box.y0 = Math.max(box.y0 - room, box.y0 >= 0 ? 0 : -Infinity);
  }
  if (box.x0 === box.x1) {
    box.x0 *= log.x ? 0.8 : 1;
    box.x1 = box.x1 * 1.2 || 1;
  }
  if (series.some((s) => s.dots)) {  // a dot at the edge is to be whole
    box.x0 /= 1.12;
    box.x1 *= 1.12;
    box.y0 /= 1.06;
    box.y1 *= 1.06;
  }
  const plot = {left: 52, right: width - 10, top: 26, bottom: height - 42, box, log};
  plot.sx = scale(box.x0, box.x1, plot.left, plot.right, log.x);
  plot.sy = scale(box.y0, box.y1, plot.bottom, plot.top, log.y);
  drawAxes(svg, plot, options);
  const clip = `clip${++clips}`;
  addSvg(addSvg(svg, "clipPath", {id: clip}), "rect", {
    x: plot.left,
    y: plot.top - 3,
    width: plot.right - plot.left + 6,
    height: plot.bottom - plot.top + 3
  });
  const inner = addSvg(svg, "g", {"clip-path": `url(#${clip})`});
  const marks = new Map();
  for (const s of series) {
    const mark = addSvg(
        inner, "g",
        {fill: "none", stroke: s.colour, "stroke-linejoin": "round", "stroke-linecap": "round"});
    marks.set(s, mark);
    if (s.low && s.x.length)
      addSvg(
          mark, "path",
          {d: bandPath(s, plot.sx, plot.sy), fill: s.colour, "fill-opacity": 0.16, stroke: "none"});
    for (const t of s.thin ?? []) {
      const path = pathOf(t.x, t.y, plot.sx, plot.sy);
      addSvg(mark, "path", {
        d: path,
        "stroke-width": s.x.length ? 0.8 : 2,
        "stroke-opacity": s.x.length ? 0.45 : 1,
        "stroke-dasharray": s.x.length ? "" : (s.dash ?? "")
      });
    }
    if (s.x.length)
      addSvg(mark, "path", {
        d: pathOf(s.x, s.y, plot.sx, plot.sy),
        "stroke-width": 2.2,
        "stroke-dasharray": s.dash ?? ""
      });
    for (const dot of s.dots ?? []) drawDot(mark, plot, dot, s.colour);
  }
  follow(svg, plot, series, options, marks);
  return height;
}

/** A dot with its interval. */
function drawDot(mark, {sx, sy}, {x, y, low, high}, colour) {
  if (low !== undefined)
    addSvg(mark, "line", {x1: sx(x), x2: sx(x), y1: sy(low), y2: sy(high), "stroke-width": 1.6});
  addSvg(mark, "circle", {cx: sx(x), cy: sy(y), r: 3.6, fill: colour});
}

function lineChart(parent, name, options) {
  const figure = picture(parent, name, (svg, width) => drawLines(svg, width, options));
  if (options.legend !== false) legend(figure, options.series);
  return figure;
}

function legend(parent, series) {
  const box = add(parent, "div", {class: "legend"});
  for (const s of series) {
    const item = add(box, "span");
    const style = {"": "solid", "2 3": "dotted"}[s.dash ?? ""] ?? "dashed";
    add(item, "span",
        {class: "swatch", style: `border-color:${s.colour};border-top-style:${style}`});
    item.append(s.label);
  }
}
