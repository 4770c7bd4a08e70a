"use strict";
// Elements, scales and the tip under the pointer.

function add(parent, tag, attributes = {}, text) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

function addSvg(parent, tag, attributes = {}, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes))
    if (value !== "") element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

/** A picture that is drawn anew when its width changes: draw(svg, width) returns its height. */
function picture(parent, name, draw) {
  const figure = add(parent, "figure", {class: "chart", "data-chart": name});
  let last = 0;
  const redraw = () => {
    const width = Math.floor(figure.clientWidth);
    if (width < 40 || width === last) return;
    last = width;
    figure.querySelector("svg")?.remove();
    const svg = addSvg(null, "svg", {role: "img", "aria-label": name});
    figure.prepend(svg);
    const height = draw(svg, width);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
  };
  redraw();
  new ResizeObserver(redraw).observe(figure);
  return figure;
}

function choice(parent, label, options, value, onChange) {
  const wrapper = add(parent, "label", {}, label);
  const select = add(wrapper, "select");
  for (const [key, text] of Object.entries(options)) add(select, "option", {value: key}, text);
  select.value = value;
  select.addEventListener("change", () => onChange(select.value));
  return select;
}

function toggle(parent, label, value, onChange) {
  const wrapper = add(parent, "label");
  const box = add(wrapper, "input", {type: "checkbox"});
  wrapper.append(label);
  box.checked = value;
  box.addEventListener("change", () => onChange(box.checked));
}

// The tip. ----------------------------------------------------------------------------------------

const tipBox = document.getElementById("tip");
function tip(event, fill) {
  tipBox.replaceChildren();
  fill(tipBox);
  tipBox.hidden = false;
  const {width, height} = tipBox.getBoundingClientRect();
  const left =
      event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
  tipBox.style.left = `${Math.max(4, left)}px`;
  tipBox.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - height - 4))}px`;
}
const hideTip = () => {
  tipBox.hidden = true;
};
addEventListener("scroll", hideTip, {passive: true});

function tipText(element, text) {
  element.addEventListener("pointermove", (event) => tip(event, (box) => {
                                            box.textContent = text;
                                          }));
  element.addEventListener("pointerleave", hideTip);
}

// Scales. -----------------------------------------------------------------------------------------

function scale(from, to, low, high, log) {
  const f = log ? Math.log : (v) => v;
  const [a, b] = [f(from), f(to)];
  return (value) => low + ((f(value) - a) / (b - a || 1)) * (high - low);
}

/** Round numbers between two, about `count` of them. */
function ticks(from, to, count, log) {
  if (log && to / from >= 8) {
    const all = [];
    for (let e = Math.floor(Math.log10(from)); 10 ** e <= to; ++e)
      for (const m of to / from > 200 ? [1] : [1, 2, 5]) all.push(m * 10 ** e);
    const inside = all.filter((v) => v >= from && v <= to);
    const step = Math.max(1, Math.ceil(inside.length / (count + 2)));
    return inside.filter((_, i) => i % step === 0);
  }
  const rough = (to - from) / Math.max(1, count) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.99);
  const all = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; ++i)
    all.push(+(i * step).toPrecision(12));
  return all;
}

/** Cividis, from dark blue to yellow: even in grey, and to the colour-blind. 0 <= share <= 1. */
const CIVIDIS = [
  [0, 32, 77], [40, 62, 107], [86, 92, 108], [124, 123, 120], [165, 155, 115], [210, 189, 94],
  [255, 234, 70]
];
function heatColour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const i = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const mixed = CIVIDIS[i].map((v, c) => Math.round(v + (place - i) * (CIVIDIS[i + 1][c] - v)));
  return `rgb(${mixed.join(" ")})`;
}
const inkOn = (share) => (share > 0.55 ? "#111" : "#fff");

/** Fills of the page's sections, by their ids; sections.js calls them when they come into sight. */
const sections = new Map();
