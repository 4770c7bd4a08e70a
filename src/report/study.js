"use strict";
// What the program has found, and how it is written.

const study = JSON.parse(document.getElementById("study").textContent);

let parsedCurves = null;
/** Curves, bands and telemetry: parsed when they are first asked for. */
function curveData() {
  parsedCurves ??= JSON.parse(document.getElementById("curve-data").textContent);
  return parsedCurves;
}

const MEASURES = {
  test_error: "test error",
  best_test_error: "lowest test error"
};

/** What is chosen on the page. */
const chosen = {
  measure: "test_error",
  hidden: study.axes.map(() => new Set()),  // values of each axis that are not shown
  colour: -1,  // the axis that gives the colours; -1: every group its own
  runs: [],    // whose configurations are shown
};

function shortKey(key) {
  if (key === "algorithm.name") return "method";
  if (key === "workers.devices") return "workers";
  const last = key.split(".").pop();
  const alike = study.axes.filter((axis) => axis.key.split(".").pop() === last);
  return alike.length > 1 ? key : last;
}

function shortValue(value) {
  if (value === "" || value === undefined) return "–";
  return value.replace(/^(\d+) x /, "$1 × ");
}

const folderAbove = (folder) => folder.replace(/[^/]*\/?$/, "");

/** What all folders begin with, up to a slash, is not repeated. */
const commonFolder =
    study.runs.map((run) => folderAbove(run.folder)).reduce((common, folder) => {
      while (!folder.startsWith(common)) common = folderAbove(common);
      return common;
    }, folderAbove(study.runs[0]?.folder ?? ""));
const shortFolder = (run) => run.folder.slice(commonFolder.length);

function settingOf(run, key) {
  if (key in run.settings) return run.settings[key];
  return run.group === null ? "" : (study.settings[key] ?? "");
}

const groupIsShown = (group) => group.values.every((value, a) => !chosen.hidden[a].has(value));
const runIsShown = (run) => run.group === null || groupIsShown(study.groups[run.group]);
const shownGroups = () => study.groups.filter(groupIsShown);

/** Of a group in the chosen measure; null without a finished run. */
function meanOf(group) {
  const spread = group[chosen.measure].spread;
  return spread.count ? spread.mean : null;
}

/** The lowest first, those without a figure last. */
function byMean(groups) {
  const rank = (group) => meanOf(group) ?? Infinity;
  return [...groups].sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
}

// Colours and dashes. -----------------------------------------------------------------------------

const COLOURS = 7;
const DASHES = ["", "7 4", "2 3", "10 3 2 3"];

study.groups.forEach((group, index) => {
  group.index = index;
});
if (study.groups.length > COLOURS)
  chosen.colour =
      study.axes.findIndex((axis) => axis.values.length > 1 && axis.values.length <= COLOURS);

function placeOfColour(group) {
  return chosen.colour < 0 ? group.index :
                             study.axes[chosen.colour].values.indexOf(group.values[chosen.colour]);
}
const colourOf = (group) => `var(--c${placeOfColour(group) % COLOURS})`;

/** Groups of one colour differ in their dashes. */
function dashOf(group, shown) {
  if (chosen.colour < 0) return DASHES[Math.floor(group.index / COLOURS) % DASHES.length];
  const alike =
      shown.filter((other) => placeOfColour(other) % COLOURS === placeOfColour(group) % COLOURS);
  return DASHES[alike.indexOf(group) % DASHES.length];
}

// Texts. ------------------------------------------------------------------------------------------

function digits(value, count = 3) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(1);
  const places = Math.max(0, count - 1 - Math.floor(Math.log10(size)));
  return value.toLocaleString("en", {maximumFractionDigits: Math.min(places, 6)});
}
const percent = (value) =>
    (value === null || value === undefined ? "–" : `${(100 * value).toFixed(2)} %`);
const points = (value) => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(2)}`;
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

/** Where a value lies between two, 0 to 1, by its logarithm: one far off does not hide the others. */
function logShare(value, low, high) {
  if (!(high > low)) return 0;
  return low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

function spreadText(spread) {
  if (!spread.count) return "–";
  if (spread.count === 1) return percent(spread.mean);
  return `${(100 * spread.mean).toFixed(2)} ± ${(100 * spread.deviation).toFixed(2)} %`;
}
