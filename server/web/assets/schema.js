// What is known of the database: the tables' names at first, their columns once they are described.

import { el } from "./parts.js";

const NAME = /"(?:[^"]|"")*"|[^,\s(]+/y;

/** The tables that an observation names, written as SQL needs them. */
export function tablesOf(schemaInfo) {
  const names = [];
  let at = "Tables: ".length;
  for (;;) {
    NAME.lastIndex = at;
    const found = NAME.exec(schemaInfo);
    if (!found) return names;
    names.push(found[0]);
    at = NAME.lastIndex;
    if (!schemaInfo.startsWith(", ", at)) return names;
    at += 2;
  }
}

/** Read what DESCRIBE says; null if it cannot be read. */
export function described(text) {
  const [first, ...lines] = text.split("\n");
  const head = /^(Table|View) (.+), ([\d,]+ rows?)$/.exec(first);
  if (!head) return null;
  const columns = [], keys = [];
  for (const line of lines) {
    if (/^ {2}(PRIMARY|FOREIGN) KEY \(|^ {2}… /.test(line)) {
      keys.push(line.trim());
      continue;
    }
    const found = /^ {2}("(?:[^"]|"")*"|\S+)(?: (.*))?$/.exec(line);
    if (!found) return null;
    let type = found[2] ?? "";
    const notNull = take(/ ?NOT NULL$/), isKey = take(/ ?PRIMARY KEY$/);
    columns.push({ name: found[1], type, isKey, notNull });
    function take(note) {
      const had = note.test(type);
      type = type.replace(note, "");
      return had;
    }
  }
  return { kind: head[1], name: head[2], count: head[3], columns, keys };
}

/** A described table, as a list of columns. */
export function columnsOf(table) {
  const rows = table.columns.map((column) =>
    el(
      "tr", {},
      el("th", { scope: "row" }, column.name),
      el("td", {}, column.type.toLowerCase()),
      el("td", { class: "quiet" }, [column.isKey && "key", column.notNull && "not null"].filter(Boolean).join(", ")),
    ),
  );
  return el(
    "div", { class: "columns" },
    el("table", {}, el("tbody", {}, ...rows)),
    ...table.keys.map((key) => el("p", { class: "quiet key" }, key)),
  );
}
