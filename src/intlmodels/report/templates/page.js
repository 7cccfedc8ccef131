// Long tables: the buttons in the header sort the rows (up, down, as printed), a field and the
// verdicts in them filter them. Figures get a link to save them. Without this script tables are
// plain; on paper every row is there.
"use strict";
(() => {
  const SORTED = 9; // rows from which on a table can be sorted
  const FILTERED = 16; // and filtered
  const VERDICTS = {
    agrees: "agrees",
    differs: "differs",
    undecided: "the data do not decide",
    untestable: "cannot be tested",
    missing: "no verdict yet",
  };
  const NEXT = { null: "ascending", ascending: "descending", descending: null };
  const NUMBER = /^([<>]?)\s*([-−]?\d+(?:\.\d+)?(?:e[-−+]?\d{1,2})?)(?![\w.])/;
  const BEYOND = { "": 0, "<": -1e-9, ">": 1e-9 }; // "> 0.999" comes after "0.999"

  const make = (name, attributes) => Object.assign(document.createElement(name), attributes);

  // What a cell is sorted by: the number that it begins with, if any, else its text.
  const keyOf = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const [, sign, digits] = text.match(NUMBER) ?? [];
    const number = digits && parseFloat(digits.replaceAll("−", "-")) + BEYOND[sign];
    return { row, text, number, empty: text === "" || text === "–" };
  };

  // Numbers come before texts.
  const compare = (a, b) => {
    if (a.number !== undefined && b.number !== undefined) return a.number - b.number;
    if (a.number !== undefined || b.number !== undefined) return a.number === undefined ? 1 : -1;
    return a.text.localeCompare(b.text, "en", { numeric: true });
  };

  // Empty cells stay at the end whatever the direction.
  const sorted = (rows, column, order) => {
    if (order === null) return rows;
    const direction = order === "ascending" ? 1 : -1;
    return rows
      .map((row) => keyOf(row, column))
      .sort((a, b) => a.empty - b.empty || direction * compare(a, b))
      .map((key) => key.row);
  };

  // A label that stands once, above the rows it is for, is written in each before they move or hide.
  const repeatLabels = (rows) =>
    rows.slice(1).forEach((row, i) => {
      const [cell, above] = [row.cells[0], rows[i].cells[0]];
      if (cell.textContent.trim() === "") cell.textContent = above.textContent;
    });

  const makeSortable = (table, rows) => {
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = make("button", { type: "button" });
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        repeatLabels(rows);
        const order = NEXT[header.getAttribute("aria-sort")];
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        if (order !== null) header.setAttribute("aria-sort", order);
        table.tBodies[0].append(...sorted(rows, column, order));
      });
    });
  };

  const makeFilterable = (table, rows) => {
    const box = make("div", { className: "filter" });
    const label = make("label", { textContent: "Filter rows " });
    const field = make("input", { type: "search", autocomplete: "off" });
    const told = make("output");
    field.setAttribute("aria-describedby", table.caption.id);
    label.append(field);
    const chips = make("div", { className: "chips" });
    const chosen = new Set(); // all verdicts if none is chosen
    box.append(label, chips, told);
    table.parentElement.before(box);
    const filter = () => {
      repeatLabels(rows);
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        const verdict = [...chosen].some((kind) => row.querySelector(`.badge.${kind}`));
        row.hidden = !words.every((word) => text.includes(word)) || (chosen.size > 0 && !verdict);
      });
      const shown = rows.filter((row) => !row.hidden).length;
      told.value = words.length || chosen.size ? `${shown} of ${rows.length} rows` : "";
    };
    field.addEventListener("input", filter);
    for (const [kind, words] of Object.entries(VERDICTS)) {
      const number = rows.filter((row) => row.querySelector(`.badge.${kind}`)).length;
      if (number === 0) continue;
      const chip = make("button", {
        type: "button",
        className: `badge ${kind}`,
        textContent: `${words} (${number})`,
        ariaPressed: "false",
      });
      chip.addEventListener("click", () => {
        if (!chosen.delete(kind)) chosen.add(kind);
        chip.ariaPressed = String(chosen.has(kind));
        filter();
      });
      chips.append(chip);
    }
  };

  // Wide screens have room for the contents in the margin.
  const contents = document.querySelector("nav details");
  const wide = matchMedia("(min-width: 78rem)");
  const unfold = () => { contents.open = wide.matches; };
  wide.addEventListener("change", unfold);
  unfold();

  document.querySelectorAll("figure img").forEach((image) => {
    const link = make("a", { href: image.src, download: image.dataset.name, textContent: "SVG" });
    image.parentElement.querySelector("figcaption").append(" ", link);
  });

  document.querySelectorAll("main table").forEach((table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length >= SORTED) makeSortable(table, rows);
    if (rows.length >= FILTERED) makeFilterable(table, rows);
  });
})();
