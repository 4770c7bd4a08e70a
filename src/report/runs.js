"use strict";
// Every run, with the columns that are chosen.

const number = (key, name, text = digits) => ({
  key,
  name,
  value: (run) => run[key] ?? null,
  show: (cell, run) => {
    cell.textContent = text(run[key]);
  }
});

function showStatus(cell, run) {
  const kind =
      ["done", "diverged", "failed", "unreadable"].includes(run.status) ? run.status : "other";
  add(cell, "span", {class: `status ${kind}`}, run.status.replace("_", " "));
}

function runColumns() {
  const axes = study.axes.map((axis, a) => ({
                                key: axis.key,
                                name: shortKey(axis.key),
                                word: axis.values.some((value) => Number.isNaN(+value)),
                                value: (run) => {
                                  const value =
                                      run.group === null ? "" : study.groups[run.group].values[a];
                                  return value !== "" && !Number.isNaN(+value) ? +value : value;
                                },
                                show: (cell, run) => {
                                  cell.textContent = run.group === null ?
                                      "–" :
                                      shortValue(study.groups[run.group].values[a]);
                                },
                              }));
  return [
    {
      key: "folder",
      name: "folder",
      word: true,
      value: shortFolder,
      show: (cell, run) => {
        cell.textContent = shortFolder(run);
        cell.title = run.folder;
      }
    },
    {key: "status", name: "status", word: true, value: (run) => run.status, show: showStatus},
    {
      key: "seed",
      name: "seed",
      value: (run) => (run.seed === "" ? null : +run.seed),
      show: (cell, run) => {
        cell.textContent = run.seed || "–";
      }
    },
    ...axes,
    number("test_error", "test error", percent),
    number("best_test_error", "lowest error", percent),
    number("test_loss", "test loss"),
    number("train_loss", "training loss"),
    number("epochs", "epochs"),
    number("wall_seconds", "seconds"),
    number("virtual_seconds", "virtual s"),
    number("images_per_second", "images/s"),
    number("workers", "workers"),
    number("exchanges", "exchanges"),
    number("refused_letters", "refused letters"),
    number("failed_workers", "failed workers"),
    number("alpha", "alpha"),
    number("rho", "rho"),
    number("beta", "beta"),
    number("evaluations", "evaluations"),
    {key: "identity", name: "identity", word: true, value: (run) => run.identity},
    {key: "adapted", name: "adapted", word: true, value: (run) => run.adapted?.join(", ") ?? ""},
    {
      key: "notes",
      name: "notes",
      word: true,
      wrap: true,
      value: (run) => run.notes?.join("; ") ?? ""
    },
  ];
}

const shownColumns = new Set([
  "folder", "status", "seed", ...study.axes.slice(0, 6).map((axis) => axis.key), "test_error",
  "best_test_error",
  study.runs.some((run) => run.virtual_seconds !== undefined) ? "virtual_seconds" : "wall_seconds",
  "images_per_second"
]);
if (study.runs.some((run) => run.adapted)) shownColumns.add("adapted");
if (study.runs.some((run) => run.notes)) shownColumns.add("notes");

function chooseColumns(box, all, draw) {
  const details = add(box, "details");
  add(details, "summary", {}, "columns");
  const list = add(details, "div", {class: "columns"});
  for (const column of all)
    toggle(list, column.name, shownColumns.has(column.key), (on) => {
      if (on)
        shownColumns.add(column.key);
      else
        shownColumns.delete(column.key);
      draw();
    });
}

sections.set("runs", (box) => {
  const all = runColumns();
  const inner = add(box, "div");
  const draw = () => {
    inner.replaceChildren();
    const choose = {
      name: "",
      word: true,
      show: (cell, run) => {
        const place = study.runs.indexOf(run);
        const mark = add(cell, "input", {
          type: "checkbox",
          title: "show its configuration",
          "aria-label": "show its configuration"
        });
        mark.checked = chosen.runs.includes(place);
        mark.addEventListener("change", () => {
          chosen.runs =
              mark.checked ? [...chosen.runs, place] : chosen.runs.filter((i) => i !== place);
          drawAgain("runs", ["configurations"]);
        });
      }
    };
    sortedTable(
        inner, "runs", [choose, ...all.filter((column) => shownColumns.has(column.key))],
        study.runs.filter(runIsShown));
  };
  chooseColumns(box, all, draw);
  box.append(inner);
  draw();
});
