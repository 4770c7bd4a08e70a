"use strict";
// Which runs are shown, by what, and in which colours.

const MOST_BUTTONS = 24;

function axisButtons(box, axis, a) {
  const line = add(box, "div", {class: "axis", role: "group", "aria-label": axis.key});
  add(line, "span", {title: axis.key}, shortKey(axis.key));
  for (const value of axis.values) {
    const hidden = chosen.hidden[a];
    const button =
        add(line, "button", {"aria-pressed": String(!hidden.has(value))}, shortValue(value));
    button.addEventListener("click", () => {
      if (!hidden.delete(value)) hidden.add(value);
      button.setAttribute("aria-pressed", String(!hidden.has(value)));
      drawAgain("filters");
    });
  }
}

sections.set("filters", (box) => {
  const controls = add(box, "div", {class: "controls"});
  choice(controls, "figure", MEASURES, chosen.measure, (value) => {
    chosen.measure = value;
    drawAgain("filters");
  });
  const colours = {"-1": "each setting"};
  study.axes.forEach((axis, a) => {
    if (axis.values.length > 1) colours[a] = shortKey(axis.key);
  });
  choice(controls, "colours by", colours, String(chosen.colour), (value) => {
    chosen.colour = +value;
    drawAgain("filters");
  });
  const some =
      study.axes.map((axis, a) => [axis, a])
          .filter(([axis]) => axis.values.length > 1 && axis.values.length <= MOST_BUTTONS);
  if (!some.length) {
    add(box, "p", {class: "note"},
        study.axes.length ? "" : "The runs differ in nothing but their seeds.");
    return;
  }
  const rest = some.length > 6 ? some.splice(6) : [];
  for (const [axis, a] of some) axisButtons(box, axis, a);
  if (!rest.length) return;
  const details = add(box, "details");
  add(details, "summary", {}, plural(rest.length, "more key") + " that differ");
  for (const [axis, a] of rest) axisButtons(details, axis, a);
});
