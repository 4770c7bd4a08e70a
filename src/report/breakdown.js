"use strict";
// Where the workers' time went: computing, waiting for data, exchanging.

const SHARES =
    [["computing", "var(--c0)"], ["waiting for data", "var(--c4)"], ["exchanging", "var(--c1)"]];
const MOST_BARS = 30;

sections.set("breakdown", (box) => {
  const rows = shownGroups()
                   .map((group) => ({
                          group,
                          shares: [0, 1, 2].map((i) => meanOver(group, (run) => run.breakdown?.[i]))
                        }))
                   .filter((row) => row.shares[0] !== null);
  if (!rows.length) {
    add(box, "p", {class: "note"}, "No finished run yet.");
    return;
  }
  const some = rows.slice(0, MOST_BARS);
  picture(box, "breakdown", (svg, width) => {
    const label =
        Math.min(width * 0.4, 20 + 7 * Math.max(...some.map((row) => row.group.label.length)));
    some.forEach(({group, shares}, j) => {
      const top = 6 + 22 * j;
      addSvg(
          svg, "text", {x: label - 8, y: top + 13, "text-anchor": "end"},
          group.label.slice(0, Math.floor(label / 6.6)));
      let left = label;
      shares.forEach((share, i) => {
        const size = Math.max(share, 0) * (width - label - 50);
        tipText(
            addSvg(svg, "rect", {x: left, y: top, width: size, height: 17, fill: SHARES[i][1]}),
            `${group.label}: ${(100 * share).toFixed(2)} % ${SHARES[i][0]}`);
        left += size;
      });
      addSvg(
          svg, "text", {x: width, y: top + 13, "text-anchor": "end"},
          `${(100 * shares[0]).toFixed(1)} %`);
    });
    return 10 + 22 * some.length;
  });
  const keys = add(box, "div", {class: "legend"});
  for (const [name, colour] of SHARES) {
    const item = add(keys, "span");
    add(item, "span", {class: "swatch block", style: `background:${colour}`});
    item.append(name);
  }
  add(box, "p", {class: "note"},
      "Shares of the workers' real time, mean over seeds; the figure is the share of computing." +
          (study.runs.some((run) => run.virtual_seconds !== undefined) ?
               " In virtual time workers wait for each other's turn, which counts as exchanging." :
               "") +
          (some.length < rows.length ? ` ${some.length} of ${rows.length} settings.` : ""));
});
