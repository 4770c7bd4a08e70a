"use strict";
// Configurations and environments of chosen runs beside each other.

const MOST_CHOSEN = 6;
const configurationView = {
  all: false
};

/** A run of the best setting and one of the next. */
function chooseFirst() {
  const some = byMean(study.groups).slice(0, 2).map((group) => group.runs[0]);
  chosen.runs = some.length ? some : study.runs.slice(0, 2).map((_, i) => i);
}
chooseFirst();

function factsOf(run) {
  const facts = new Map();
  for (const key of Object.keys(study.settings)) facts.set(key, settingOf(run, key));
  for (const [key, value] of Object.entries(run.environment ?? {}))
    facts.set(`environment: ${key}`, Array.isArray(value) ? value.join(", ") : String(value));
  return facts;
}

function drawConfigurations(box) {
  const runs = chosen.runs.slice(0, MOST_CHOSEN).map((i) => study.runs[i]);
  const facts = runs.map(factsOf);
  const keys = [...new Set(facts.flatMap((f) => [...f.keys()]))];
  const differs = (key) => new Set(facts.map((f) => f.get(key) ?? "")).size > 1;
  const some = keys.filter(
      (key) =>
          configurationView.all || differs(key) || (runs.length === 1 && facts[0].get(key) !== ""));
  const table = add(add(box, "div", {class: "scroll"}), "table", {"data-table": "configurations"});
  const head = add(add(table, "thead"), "tr");
  add(head, "th", {class: "word"}, "key");
  for (const run of runs) add(head, "th", {class: "word"}, shortFolder(run));
  const body = add(table, "tbody");
  for (const key of some) {
    const row = add(body, "tr", {class: configurationView.all && differs(key) ? "differs" : ""});
    add(row, "td", {class: "word"}, key);
    for (const f of facts)
      add(row, "td", {class: "word"},
          f.get(key) === undefined || f.get(key) === "" ? "–" : f.get(key));
  }
  if (!some.length) add(add(body, "tr"), "td", {class: "word"}, "no difference");
  if (chosen.runs.length > MOST_CHOSEN)
    add(box, "p", {class: "note"},
        `The first ${MOST_CHOSEN} of ${chosen.runs.length} chosen runs.`);
}

sections.set("configurations", (box) => {
  if (!chosen.runs.length) {
    add(box, "p", {class: "note"}, "Choose runs in the table above.");
    return;
  }
  const controls = add(box, "div", {class: "controls"});
  const inner = add(box, "div");
  const draw = () => {
    inner.replaceChildren();
    drawConfigurations(inner);
  };
  toggle(controls, "also what is the same", configurationView.all, (on) => {
    configurationView.all = on;
    draw();
  });
  draw();
  add(box, "p", {class: "note"},
      "Runs are chosen in the table above; at first one of the best setting and one of the next.");
});
