// SQL in colours: a reader of tokens, and a text area with the coloured text beneath it.

import { el } from "./parts.js";

const KEYWORDS = new Set(
  `ALL AND AS ASC BETWEEN BY CASE CAST COLLATE CROSS CURRENT_DATE DESC DISTINCT ELSE END ESCAPE EXCEPT EXISTS FROM FULL
  GLOB GROUP HAVING IN INNER INTERSECT IS ISNULL JOIN LEFT LIKE LIMIT MATCH NATURAL NOT NOTNULL NULL OFFSET ON OR ORDER
  OUTER OVER PARTITION RECURSIVE REGEXP RIGHT SELECT THEN UNION USING VALUES WHEN WHERE WINDOW WITH`.split(/\s+/),
);
const TOKEN = /(--[^\n]*|\/\*[^]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|("(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$))|(\b\d+(?:\.\d+)?(?:e[-+]?\d+)?\b)|([\p{L}_][\p{L}\p{N}_$]*)/giu;

/** Return SQL as spans; its text is the given one, letter for letter. */
export function painted(sql) {
  const parts = document.createDocumentFragment();
  let at = 0;
  for (const match of sql.matchAll(TOKEN)) {
    const [token, comment, string, name, number, word] = match;
    const keyword = word && KEYWORDS.has(word.toUpperCase());
    const isCall = word && !keyword && sql[match.index + token.length] === "(";
    const kind = comment ? "comment" : string ? "string" : name ? "name" : number ? "num" : keyword ? "key" : isCall ? "call" : "";
    parts.append(sql.slice(at, match.index));
    if (kind) {
      const span = document.createElement("span");
      span.className = `t-${kind}`;
      span.textContent = token;
      parts.append(span);
    } else parts.append(token);
    at = match.index + token.length;
  }
  parts.append(sql.slice(at));
  return parts;
}

/** What an action was given, as code; a statement in colours. */
export function argumentOf(action, argument, answerForm) {
  const isSql = action === "QUERY" || (action === "ANSWER" && answerForm === "sql");
  return el("code", isSql ? { class: "sql" } : {}, isSql ? painted(argument) : argument);
}

/** Colour every <code class="sql"> of a part of the page. */
export function paintAll(root) {
  for (const code of root.querySelectorAll("code.sql")) code.replaceChildren(painted(code.textContent));
}

/** Make a text area as high as its text. */
export function fit(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
}

/** Keep the coloured text beneath a text area the same as what is written in it. */
export function editor(area, beneath, run) {
  const repaint = () => {
    beneath.replaceChildren(painted(area.value), "\n");
    fit(area);
  };
  area.addEventListener("input", repaint);
  area.addEventListener("scroll", () => {
    beneath.scrollTop = area.scrollTop;
    beneath.scrollLeft = area.scrollLeft;
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    }
  });
  repaint();
  return repaint;
}
