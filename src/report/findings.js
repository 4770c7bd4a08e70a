"use strict";
// What can be said in a few sentences, and what could not be read.

function sayLowest(box) {
  const lowest = study.groups.filter((group) => group[chosen.measure].verdict === "lowest");
  if (!lowest.length) return add(box, "p", {}, "No run has come to its end yet.");
  for (const group of lowest) {
    const figure = group[chosen.measure];
    const line = add(box, "p");
    line.append(`Lowest mean ${MEASURES[chosen.measure]}: `);
    add(line, "strong", {}, group.label);
    if (group.unnamed) line.append(` (${group.unnamed})`);
    line.append(`, ${spreadText(figure.spread)} over ${plural(figure.spread.count, "seed")}`);
    line.append(figure.spread.count === 1 ? " (one seed: no spread)." : ".");
  }
  const counts = new Map();
  for (const group of study.groups) {
    const {verdict} = group[chosen.measure];
    if (verdict !== "lowest" && meanOf(group) !== null)
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  }
  if (counts.size) {
    const others = [...counts].map(([verdict, count]) => `${count} ${verdict}`).join("; ");
    add(box, "p", {}, `The others: ${others}.`);
  }
}

function saySpeed(box) {
  const level = study.levels[defaultLevel()];
  const best = level?.rows.filter((row) => row.speed_up !== null && !row.baseline)
                   .sort((a, b) => b.speed_up - a.speed_up)[0];
  if (!best) return;
  const base = level.rows.find((row) => row.baseline && row.virtual === best.virtual);
  const unit = best.virtual ? "virtual s" : "s";
  const line = add(box, "p");
  line.append(`To ${+ (100 * level.level).toPrecision(3)} % test error, `);
  add(line, "strong", {}, `${best.method} with ${plural(best.workers, "worker")}`);
  line.append(
      ` takes ${digits(best.seconds.mean)} ${unit} and one worker (${base.method}) ${
          digits(base.seconds.mean)}: ` +
      `${digits(best.speed_up)} times as fast${intervalText(best)}${doubtOf(best)}.`);
}

const ENOUGH_SEEDS = 5;
function doubtOf(row) {
  if (row.interval && row.interval[0] <= 1 && row.interval[1] >= 1)
    return ", which is not distinguishable from 1";
  return row.reached < ENOUGH_SEEDS ? `; ${plural(row.reached, "seed")}, too few to be sure` : "";
}

const intervalText = (row) =>
    (row.interval ? ` [${digits(row.interval[0])}, ${digits(row.interval[1])}]` : "");

function sayProblems(box) {
  const counts = new Map();
  for (const run of study.runs) counts.set(run.status, (counts.get(run.status) ?? 0) + 1);
  const unfinished = [...counts].filter(([status]) => status !== "done");
  if (unfinished.length)
    add(box, "p", {class: "note"},
        `Not done: ${
            unfinished.map(([status, n]) => `${n} ${status.replace("_", " ")}`).join(", ")}. ` +
            "Only runs that are done or have diverged count in means and intervals.");
  const noted = study.runs.filter((run) => run.notes);
  if (!noted.length && !study.notes.length) return;
  const details = add(box, "details", {class: "warn"});
  add(details, "summary", {},
      `${
          plural(
              noted.length + study.notes.length, "folder")} could not be read in full, or failed`);
  for (const note of study.notes) add(details, "p", {class: "note"}, note);
  for (const run of noted.slice(0, 50))
    add(details, "p", {class: "note"}, `${shortFolder(run)}: ${run.notes.join("; ")}`);
  if (noted.length > 50)
    add(details, "p", {class: "note"},
        `and ${noted.length - 50} more: see the column "notes" of the runs`);
}

sections.set("findings", (box) => {
  sayLowest(box);
  saySpeed(box);
  sayProblems(box);
});
