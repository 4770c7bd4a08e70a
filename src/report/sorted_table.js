"use strict";
// A table that is sorted by a click on a head. Columns: {name, value(row), show(cell, row), word}.

const ROWS_AT_FIRST = 60;

/** Numbers before words, what is not there last, whichever way. */
function comparedBy(value, direction) {
  const kind = (v) =>
      (v === null || v === undefined || v === "" ? 2 :
           typeof v === "number"                 ? 0 :
                                                   1);
  return (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (kind(x) !== kind(y)) return kind(x) - kind(y);
    if (kind(x) === 2) return 0;
    const order = kind(x) === 0 ? x - y : String(x).localeCompare(String(y), "en", {numeric: true});
    return direction * order;
  };
}

function sortedTable(parent, name, columns, rows, first = null) {
  const wrapper = add(parent, "div", {class: "scroll"});
  const table = add(wrapper, "table", {"data-table": name});
  const heads = add(add(table, "thead"), "tr");
  const body = add(table, "tbody");
  const more = add(parent, "div", {class: "more"});
  let order = {column: first ?? null, direction: 1}, limit = ROWS_AT_FIRST;

  const fill = () => {
    const sorted =
        order.column ? [...rows].sort(comparedBy(order.column.value, order.direction)) : rows;
    body.replaceChildren();
    for (const row of sorted.slice(0, limit)) {
      const line = add(body, "tr");
      for (const column of columns) {
        const cell =
            add(line, "td", {class: column.word ? `word ${column.wrap ? "wrap" : ""}` : ""});
        if (column.show)
          column.show(cell, row);
        else
          cell.textContent = column.value(row) ?? "–";
      }
    }
    more.replaceChildren();
    if (rows.length <= limit) return;
    add(more, "span", {class: "note"}, `${limit} of ${rows.length.toLocaleString("en")} rows`);
    add(more, "button", {}, "show more").addEventListener("click", () => {
      limit += 5 * ROWS_AT_FIRST;
      fill();
    });
  };
  const mark = () => [...heads.children].forEach((head, i) => {
    if (columns[i] === order.column)
      head.setAttribute("aria-sort", order.direction > 0 ? "ascending" : "descending");
    else
      head.removeAttribute("aria-sort");
  });
  for (const column of columns) {
    const head = add(heads, "th", {class: column.word ? "word" : "", scope: "col"});
    if (!column.value) {
      head.textContent = column.name;
      continue;
    }
    add(head, "button", {title: column.meaning ?? "sort"}, column.name)
        .addEventListener("click", () => {
          order = {column, direction: order.column === column ? -order.direction : 1};
          mark();
          fill();
        });
  }
  mark();
  fill();
  return table;
}
