// Playing an episode: what was chosen, what is known, what was done, how it ended.

import { Connection, Lost, Refused } from "./connection.js";
import { $, el, fill, rewardChart, signed, table, verb, verdictWords } from "./parts.js";
import { columnsOf, described, tablesOf } from "./schema.js";
import { editor, paintAll, painted } from "./sql.js";

const FORMS = {
  value: {
    asks: "the answer",
    placeholder: "42, or Alice, Bob",
    help: [
      ["One value", "42, or Alice"],
      ["A list", "Alice, Bob — or JSON: [\"Alice\", \"Bob\"], which is safest where values hold commas"],
      ["A table", "a row a line, cells separated by | — or JSON: [[\"Alice\", 3], [\"Bob\", 5]]"],
    ],
    rules:
      "Whole numbers must be exact, others to the decimals shown; text is compared without regard to case. " +
      "Order matters only where the question asks for one. NULL is written NULL.",
  },
  sql: {
    asks: "a SELECT statement that gives the answer",
    placeholder: "SELECT …",
    help: [["One statement", "its rows are compared with the gold's, on this database and on changed ones"]],
    rules: "What the statement gives is graded, not how it is written.",
  },
};

let connection, offers, chosen, now, lastResult;
const tables = new Map(); // as written in SQL → its list item

export async function start() {
  for (const [form, act] of [["choose", begin], ["query", runQuery], ["answer", giveAnswer]]) {
    $(form).addEventListener("submit", (event) => (event.preventDefault(), act()));
  }
  repaint = editor($("sql"), $("painted"), runQuery);
  $("said").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) (event.preventDefault(), giveAnswer());
  });
  $("said").addEventListener("input", fitAnswer);
  $("surprise").addEventListener("click", () => reset({}));
  $("next").addEventListener("click", () => reset(chosen));
  $("again").addEventListener("click", () => reset({ ...taskOf(now.metadata), answer_form: chosen.answer_form }));
  for (const button of [$("other"), $("quit").firstChild]) button.addEventListener("click", showStart);
  $("take").addEventListener("click", takeResult);
  offers = await (await fetch("offers")).json();
  $("budget").textContent = offers.max_steps;
  const form = $("choose").elements;
  fill(form.dataset, offers.datasets.map(({ name }) => [name, name]));
  form.dataset.addEventListener("change", offerSplits);
  form.split.addEventListener("change", offerDatabases);
  form.db_id.addEventListener("change", offerHardness);
  form.hardness.addEventListener("change", countOffer);
  offerSplits();
  const named = Object.fromEntries(new URLSearchParams(location.hash.split("?")[1]));
  if (named.task_id) {
    chosen = named.dataset ? { dataset: named.dataset } : {};
    await reset(named);
  }
}

let repaint = () => {};

// --- choosing -----------------------------------------------------------------------------------------------

const picked = () => offers.datasets.find(({ name }) => name === $("choose").elements.dataset.value);

function offerSplits() {
  const form = $("choose").elements, { splits, withheld } = picked();
  const label = (split) => (withheld.includes(split) ? `${split} (answers are not shown)` : split);
  fill(form.split, splits.map((split) => [split, label(split)]), form.split.value || offers.split);
  offerDatabases();
}

function offerDatabases() {
  const form = $("choose").elements, { counts } = picked();
  const names = counts ? Object.keys(counts[form.split.value]) : [];
  form.db_id.disabled = !counts;
  fill(form.db_id, [["", counts ? "any" : "a new one each time"], ...names.map((name) => [name, name])], form.db_id.value);
  offerHardness();
}

function offerHardness() {
  const form = $("choose").elements;
  const levels = picked().hardnesses.filter((level) => count(level) !== 0);
  fill(form.hardness, [["", "any"], ...levels.map((level) => [level, level])], form.hardness.value);
  countOffer();
}

/** How many questions of a hardness are left by the other choices; null where there is no end of them. */
function count(hardness) {
  const form = $("choose").elements, { counts } = picked();
  if (!counts) return null;
  const databases = counts[form.split.value];
  const found = form.db_id.value ? [databases[form.db_id.value]] : Object.values(databases);
  const of = (one) => (hardness ? (one[hardness] ?? 0) : Object.values(one).reduce((a, b) => a + b, 0));
  return found.reduce((sum, one) => sum + of(one), 0);
}

function countOffer() {
  const number = count($("choose").elements.hardness.value);
  const fit = number === null ? "each is made when you ask for it." : `${number} fit${number === 1 ? "s" : ""} your choice.`;
  $("offer").textContent = `${picked().summary}; ${fit}`;
}

function begin() {
  const form = new FormData($("choose"));
  reset(Object.fromEntries([...form].filter(([, value]) => value)));
}

const taskOf = ({ dataset, task_id, variant }) => ({ dataset, task_id, variant });

// --- an episode ---------------------------------------------------------------------------------------------

/** Start an episode on the selectors; of those that fit one is drawn. */
async function reset(selectors) {
  const again = "task_id" in selectors;
  if (!again) chosen = selectors;
  const drawn = again ? {} : { seed: crypto.getRandomValues(new Uint32Array(1))[0] };
  const episode_id = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const data = await ask("reset", { ...selectors, ...drawn, episode_id }, "Drawing a question");
  if (!data) return;
  now = { episode_id, metadata: data.metadata, form: data.metadata.answer_form, done: false };
  lastResult = null;
  showEpisode(data.observation);
}

async function ask(type, data, doing) {
  banner("");
  busy(doing);
  try {
    connection ??= new Connection(lost);
    return await connection.ask(type, data);
  } catch (error) {
    if (error instanceof Lost) lost(error.message);
    else if (error instanceof Refused) banner(error.message);
    else throw error;
    return null;
  } finally {
    busy("");
  }
}

function lost(why) {
  connection?.close();
  connection = null;
  if (now && !now.done) freeze();
  banner(why);
}

/** No step can be taken any more; what was written and seen stays. */
function freeze() {
  for (const control of $("episode").querySelectorAll("#controls button, #tables button")) control.disabled = true;
  const button = el("button", { type: "button", class: "primary", onclick: () => reset(chosen) }, "Start another question");
  $("steps").prepend(el("li", { class: "gone" }, el("p", {}, "This episode cannot go on. "), button));
  if (now) now.done = true;
}

async function step(action, argument) {
  if (!now || now.done) return;
  const data = await ask("step", { action_type: action, argument }, `${action} is running`);
  if (!data) return;
  const seen = data.observation;
  const over = data.done && seen.metadata.outcome_return === undefined;
  addStep(action, argument, seen, data.reward);
  if (over) {
    freeze();
    return banner("The server closed this episode, most likely because nothing was done for a while.");
  }
  showBudget(seen);
  if (action === "DESCRIBE" && !seen.error) learn(seen.result);
  if (seen.columns.length && !seen.error) {
    lastResult = seen.truncated ? null : seen;
    $("take").hidden = !lastResult || now.form === "sql";
  }
  if (data.done) await showEnd(seen);
}

const runQuery = () => submit("QUERY", $("sql"), "Write a SELECT statement first.");
const giveAnswer = () => submit("ANSWER", $("said"), "Write an answer first: a blank one would end the episode.");

async function submit(action, area, otherwise) {
  if (!now || now.done) return;
  if (!area.value.trim()) {
    banner(otherwise);
    return area.focus();
  }
  await step(action, area.value);
  if (!now.done) area.focus({ preventScroll: true });
}

// --- showing it ---------------------------------------------------------------------------------------------

function showStart() {
  if (now && !now.done) (connection?.close(), (connection = null)); // the episode is left, and its place is free
  now = null;
  banner("");
  $("episode").hidden = true;
  $("start").hidden = false;
  $("surprise").focus();
}

function showEpisode(seen) {
  const { dataset, db_id, split, task_id } = now.metadata;
  $("start").hidden = true;
  $("episode").hidden = false;
  $("end").hidden = true;
  $("controls").hidden = $("quit").hidden = false;
  const address = `#play?${new URLSearchParams({ dataset, task_id })}`;
  const link = el("a", { href: address, title: "The address of this question" }, task_id);
  $("origin").replaceChildren(`${dataset} · ${db_id} · split ${split} · `, link);
  $("question").textContent = seen.question;
  $("steps").replaceChildren();
  for (const area of [$("sql"), $("said")]) area.value = "";
  (repaint(), fitAnswer());
  for (const control of $("controls").querySelectorAll("button")) control.disabled = false;
  $("take").hidden = true;
  const form = FORMS[now.form];
  $("asks").textContent = form.asks;
  $("said").placeholder = form.placeholder;
  const lines = form.help.flatMap(([what, how]) => [el("dt", {}, what), el("dd", {}, how)]);
  $("forms").lastElementChild.replaceChildren(el("dl", {}, ...lines), el("p", {}, form.rules));
  showTables(seen);
  showBudget(seen);
  $("question").focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function showTables(seen) {
  tables.clear();
  for (const name of tablesOf(seen.schema_info)) {
    const act = (action) => () => step(action, name);
    const item = el(
      "li", {},
      el("div", { class: "table" },
        el("span", { class: "name" }, name),
        el("span", { class: "count quiet" }),
        el("button", { type: "button", class: "small describe", onclick: act("DESCRIBE"), "aria-label": `Describe ${name}` }, "Describe"),
        el("button", { type: "button", class: "small sample", onclick: act("SAMPLE"), "aria-label": `Sample ${name}` }, "Sample"),
      ),
    );
    tables.set(name, item);
  }
  $("tables").replaceChildren(...tables.values());
  showKnown();
}

function learn(text) {
  const found = described(text), item = found && tables.get(found.name);
  if (!item) return;
  item.querySelector(".columns")?.remove();
  item.querySelector(".count").textContent = found.count;
  item.append(columnsOf(found));
  showKnown();
}

function showKnown() {
  const known = $("tables").querySelectorAll(".columns").length;
  $("known").textContent = `${known} of ${tables.size} tables described`;
}

function showBudget(seen) {
  const all = seen.step_count + seen.budget_remaining, left = seen.budget_remaining;
  const pips = Array.from({ length: all }, (_, at) => el("i", { class: at < seen.step_count ? "spent" : "" }));
  $("pips").replaceChildren(...(all <= 40 ? pips : []));
  $("pips").setAttribute("aria-label", `${left} of ${all} steps left`);
  $("left").textContent = left === 1 ? "1 step left: answer now" : `${left} steps left`;
  $("left").className = left <= 3 && !now.done ? "few" : "";
}

function addStep(action, argument, seen, reward) {
  const isSql = action === "QUERY" || (action === "ANSWER" && now.form === "sql");
  const code = el("code", isSql ? { class: "sql" } : {}, isSql ? painted(argument) : argument);
  const again = el("button", { type: "button", class: "small plain", onclick: () => reuse(argument) }, "Edit again");
  const number = el("span", { class: "quiet" }, `${seen.step_count}.`);
  const did = el("p", { class: "did" }, number, verb(action), code, action === "QUERY" ? again : null);
  const paid = reward ? el("p", { class: "paid" }, `Reward ${signed(reward)}`) : null;
  const item = el("li", {}, did, ...outcome(action, seen), paid);
  $("steps").prepend(item);
  item.scrollIntoView({ block: "nearest" });
}

function outcome(action, seen) {
  if (seen.error) return [el("p", { class: "error" }, seen.error)];
  if (action === "DESCRIBE") {
    const found = described(seen.result);
    if (!found) return [el("pre", {}, seen.result)];
    const many = `${found.columns.length} column${found.columns.length === 1 ? "" : "s"}, ${found.count}`;
    return [el("details", {}, el("summary", {}, many), columnsOf(found))];
  }
  if (seen.columns.length) {
    const counted = seen.result.slice(seen.result.lastIndexOf("\n") + 1);
    return [table(seen.columns, seen.rows), el("p", { class: "quiet" }, counted)];
  }
  const { verdict, truncated } = seen.metadata;
  return [el("p", {}, action === "ANSWER" ? verdictWords(verdict, truncated).join(". ") : seen.result)];
}

function reuse(sql) {
  $("sql").value = sql;
  repaint();
  $("sql").focus();
}

function takeResult() {
  if (!lastResult) return;
  const { rows, columns } = lastResult;
  const value = columns.length > 1 ? rows : rows.length === 1 ? rows[0][0] : rows.map(([cell]) => cell);
  $("said").value = JSON.stringify(value);
  fitAnswer();
  $("said").focus();
}

function fitAnswer() {
  $("said").style.height = "auto";
  $("said").style.height = `${$("said").scrollHeight}px`;
}

async function showEnd(seen) {
  now.done = true;
  const { verdict, truncated, components, outcome_return: total, par, hardness } = seen.metadata;
  const [headline, why] = verdictWords(verdict, truncated);
  const won = verdict === "correct";
  $("end").className = `card end ${won ? "won" : "lost"}`;
  $("verdict").textContent = `${won ? "✓" : "✗"} ${headline}`;
  const steps = `You took ${seen.step_count} step${seen.step_count === 1 ? "" : "s"}; the oracle takes ${par} at this ${hardness} question.`;
  $("told").textContent = [why, steps, `Your return is ${signed(total)}.`].filter(Boolean).join(" ");
  $("chart").replaceChildren(rewardChart(components, total));
  $("controls").hidden = $("quit").hidden = true;
  for (const button of $("tables").querySelectorAll("button")) button.disabled = true;
  $("revealed").replaceChildren();
  $("end").hidden = false;
  $("verdict").focus({ preventScroll: true });
  $("end").scrollIntoView({ block: "nearest" });
  await reveal();
}

/** Show the gold and the oracle's way, which the server renders for this ended episode. */
async function reveal() {
  const episode = now;
  try {
    const response = await fetch(`ends/${episode.episode_id}`);
    if (!response.ok || now !== episode) return;
    $("revealed").innerHTML = await response.text(); // the server's own, escaped there
    paintAll($("revealed"));
  } catch {
    // Without it the end is still told.
  }
}

function banner(text) {
  $("banner").textContent = text;
  $("banner").hidden = !text;
}

function busy(doing) {
  $("working").textContent = doing ? `${doing} …` : "";
  document.body.toggleAttribute("data-busy", Boolean(doing));
}
