// Playing an episode: what was chosen, what is known, what was done, how it ended.

import { Connection, Lost, Refused } from "./connection.js";
import { $, banner, el, fill, rewardChart, signed, table, verb, verdictWords } from "./parts.js";
import { columnsOf, described, tablesOf } from "./schema.js";
import { argumentOf, editor, fit, paintAll } from "./sql.js";

const FORMS = {
  value: {
    asks: "what you found",
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

let connection = null; // of the episode that is played; what comes from another is ignored
let running = false; // whether an answer is waited for
let offers;
let chosen = {}; // the selectors of the last draw
let now = null; // the episode: its id, where it comes from, how it is answered, whether it is over
let lastResult = null;
let repaint = () => {};
const tables = new Map(); // as written in SQL → its list item

export async function start() {
  for (const [form, act] of [["choose", begin], ["query", runQuery], ["answer", giveAnswer]]) {
    $(form).addEventListener("submit", (event) => (event.preventDefault(), act()));
  }
  repaint = editor($("sql"), $("painted"), runQuery);
  $("said").addEventListener("input", () => fit($("said")));
  $("said").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) (event.preventDefault(), giveAnswer());
  });
  $("surprise").addEventListener("click", () => draw({}));
  $("next").addEventListener("click", () => draw(chosen));
  $("again").addEventListener("click", () => play(taskOf(now)));
  $("other").addEventListener("click", showStart);
  $("leave").addEventListener("click", showStart);
  $("take").addEventListener("click", takeResult);
  $("retry").addEventListener("click", reveal);
  window.addEventListener("hashchange", followAddress);
  window.addEventListener("beforeunload", (event) => {
    if (now && !now.done && now.begun) event.preventDefault();
  });
  offers = await (await fetch("offers")).json();
  $("budget").textContent = offers.max_steps;
  const form = $("choose").elements;
  fill(form.dataset, offers.datasets.map(({ name }) => [name, name]));
  form.dataset.addEventListener("change", offerSplits);
  form.split.addEventListener("change", offerDatabases);
  form.db_id.addEventListener("change", offerHardness);
  form.hardness.addEventListener("change", countOffer);
  offerSplits();
  await followAddress();
}

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
  const fits = number === null ? "each is made when you ask for it." : `${number} fit${number === 1 ? "s" : ""} your choice.`;
  $("offer").textContent = `${picked().summary}; ${fits}`;
}

function begin() {
  const form = new FormData($("choose"));
  draw(Object.fromEntries([...form].filter(([, value]) => value)));
}

/** What names a task, and how it is answered; in an address these follow "#play?". */
const taskOf = ({ metadata: { dataset, task_id, variant, answer_form } }) => ({ dataset, task_id, variant, answer_form });

/** Play the question that the address names, unless it is played already. */
async function followAddress() {
  const named = Object.fromEntries(new URLSearchParams(location.hash.split("?")[1]));
  if (!named.task_id || (now && taskOf(now).task_id === named.task_id)) return;
  if (now && !now.done && now.begun) return banner("Leave this episode first; then open the address of the other one.");
  chosen = named.dataset ? { dataset: named.dataset } : {};
  if (named.variant) named.variant = Number(named.variant);
  await play(named);
}

// --- an episode ---------------------------------------------------------------------------------------------

/** Draw one of the questions that fit the selectors. */
async function draw(selectors) {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  if (await play({ ...selectors, seed })) chosen = selectors;
}

/** Start an episode; return whether it did. */
async function play(selectors) {
  const episode_id = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const data = await ask("reset", { ...selectors, episode_id }, "Fetching a question");
  if (!data) return false;
  now = { episode_id, metadata: data.metadata, form: data.metadata.answer_form, done: false, begun: false };
  lastResult = null;
  showEpisode(data.observation);
  return true;
}

/** Send a message; null if it was refused, the connection lost, or the episode left meanwhile. One at a time. */
async function ask(type, data, doing) {
  if (running) return null;
  banner("");
  busy(`${doing} …`);
  connection ??= connected();
  const mine = connection;
  try {
    const answer = await mine.ask(type, data);
    return mine === connection ? answer : null;
  } catch (error) {
    if (mine !== connection) return null;
    if (error instanceof Lost) lost(error.message);
    else if (error instanceof Refused) banner(error.message);
    else throw error;
    return null;
  } finally {
    if (mine === connection || !connection) busy("");
  }
}

function connected() {
  const made = new Connection((why) => made === connection && lost(why));
  return made;
}

function lost(why) {
  hangUp();
  const gone = now && !now.done;
  if (gone) freeze();
  banner(gone ? `${why} The episode is gone with it: it lives as long as its connection. What you wrote is still here.` : why);
}

function hangUp() {
  connection?.close();
  connection = null;
  busy("");
}

/** No step can be taken any more; what was written and seen stays. */
function freeze() {
  now.done = true;
  for (const control of $("episode").querySelectorAll("#controls button, #tables button")) control.disabled = true;
  const button = el("button", { type: "button", class: "primary", onclick: () => draw(chosen) }, "Start another question");
  $("steps").prepend(el("li", {}, el("p", {}, "This episode cannot go on. "), button));
}

async function step(action, argument) {
  if (!now || now.done) return;
  const data = await ask("step", { action_type: action, argument }, `${action} is running`);
  if (!data) return;
  const seen = data.observation;
  if (data.done && seen.metadata.outcome_return === undefined) {
    freeze();
    return banner("The server closed this episode, most likely because nothing was done for a while. What you wrote is still here.");
  }
  now.begun = true;
  const learned = action === "DESCRIBE" && !seen.error && learn(seen.result);
  const item = addStep(action, argument, seen, Number(data.reward));
  if (!learned) item.scrollIntoView({ block: "nearest" });
  showBudget(seen);
  if (seen.columns.length && !seen.error) offerResult(seen);
  busy(summary(action, seen));
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
  const episode = now;
  await step(action, area.value);
  const here = document.activeElement;
  if (now === episode && !now.done && (here === document.body || area.form.contains(here))) area.focus({ preventScroll: true });
}

// --- showing it ---------------------------------------------------------------------------------------------

/** Leave the episode, if there is one; its place on the server is free at once. */
function showStart() {
  hangUp();
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
  $("controls").hidden = $("leave").hidden = false;
  const task = Object.entries(taskOf(now)).filter(([name, value]) => value && !(name === "answer_form" && value === "value"));
  const link = el("a", { href: `#play?${new URLSearchParams(task)}`, title: "The address of this question" }, task_id);
  $("origin").replaceChildren(`${dataset} · ${db_id} · split ${split} · `, link);
  $("question").textContent = seen.question;
  $("steps").replaceChildren();
  for (const area of [$("sql"), $("said")]) area.value = "";
  repaint();
  fit($("said"));
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
    const button = (action, label) =>
      el("button", { type: "button", class: "small", onclick: () => step(action, name), "aria-label": `${label} ${name}` }, label);
    const head = el("div", { class: "table" }, el("span", { class: "name" }, name), el("span", { class: "count quiet" }));
    head.append(button("DESCRIBE", "Describe"), button("SAMPLE", "Sample"));
    tables.set(name, el("li", {}, head));
  }
  $("tables").replaceChildren(...tables.values());
  showKnown();
}

/** Put what DESCRIBE says beside the table's name; return whether it could be read. */
function learn(text) {
  const found = described(text), item = found && tables.get(found.name);
  if (!item) return false;
  item.querySelector(".columns")?.remove();
  item.querySelector(".count").textContent = found.count;
  item.append(columnsOf(found));
  showKnown();
  return true;
}

function showKnown() {
  const known = $("tables").querySelectorAll(".columns").length;
  $("known").textContent = `${known} of ${tables.size} tables described`;
}

function showBudget(seen) {
  const all = seen.step_count + seen.budget_remaining, left = seen.budget_remaining;
  const pips = Array.from({ length: all }, (_, at) => el("i", { class: at < seen.step_count ? "spent" : "" }));
  $("pips").replaceChildren(...(all <= 40 ? pips : []));
  $("left").textContent = left === 1 ? "1 step left: answer now" : `${left} steps left`;
  $("left").className = left <= 3 && !seen.done ? "few" : "";
}

function addStep(action, argument, seen, reward) {
  const code = argumentOf(action, argument, now.form);
  const again = el("button", { type: "button", class: "small plain", onclick: () => reuse(argument) }, "Edit again");
  const number = el("span", { class: "quiet" }, `${seen.step_count}.`);
  const did = el("p", { class: "did" }, number, verb(action), code, action === "QUERY" ? again : null);
  const paid = reward ? el("p", { class: "paid" }, `Reward ${signed(reward)}`) : null;
  const item = el("li", {}, did, ...outcome(action, seen), paid);
  $("steps").prepend(item);
  return item;
}

function outcome(action, seen) {
  if (seen.error) return [el("p", { class: "error" }, seen.error)];
  if (action === "DESCRIBE") {
    const found = described(seen.result);
    if (!found) return [el("pre", {}, seen.result)];
    const many = `${found.columns.length} column${found.columns.length === 1 ? "" : "s"}, ${found.count}`;
    return [el("details", {}, el("summary", {}, many), columnsOf(found))];
  }
  if (seen.columns.length) return [table(seen.columns, seen.shown ?? []), el("p", { class: "quiet" }, counted(seen))];
  const { verdict, truncated } = seen.metadata;
  return [el("p", {}, action === "ANSWER" ? verdictWords(verdict, truncated).join(". ") : seen.result)];
}

/** The line under a result that counts its rows. */
const counted = (seen) => seen.result.slice(seen.result.lastIndexOf("\n") + 1);

/** What is said of a step to whoever does not see it. */
function summary(action, seen) {
  if (seen.error) return `${action}: ${seen.error}`;
  return `${action}: ${seen.columns.length ? counted(seen).replace(/[()]/g, "") : "done"}`;
}

function reuse(sql) {
  $("sql").value = sql;
  repaint();
  $("sql").focus();
}

function offerResult(seen) {
  lastResult = seen.truncated ? null : seen;
  $("take").hidden = !lastResult || now.form === "sql" || !seen.rows.length;
}

function takeResult() {
  const { rows, columns } = lastResult;
  const value = columns.length > 1 ? rows : rows.length === 1 ? rows[0][0] : rows.map(([cell]) => cell);
  $("said").focus();
  $("said").select();
  // Typed rather than set, so that Ctrl+Z brings back what stood there.
  if (!document.execCommand("insertText", false, JSON.stringify(value))) $("said").value = JSON.stringify(value);
  fit($("said"));
}

async function showEnd(seen) {
  now.done = true;
  const { verdict, truncated, components, outcome_return: total, par, hardness } = seen.metadata;
  const [headline, why] = verdictWords(verdict, truncated);
  const won = verdict === "correct";
  $("end").className = `card end ${won ? "won" : "lost"}`;
  $("verdict").textContent = `${won ? "✓" : "✗"} ${headline}`;
  const steps = `You took ${seen.step_count} step${seen.step_count === 1 ? "" : "s"}; a player that knows the answer takes ${par} (hardness: ${hardness}).`;
  $("told").textContent = [why, steps, `The reward of the whole episode, its return, is ${signed(total)}.`].filter(Boolean).join(" ");
  $("chart").replaceChildren(rewardChart(components, total));
  $("controls").hidden = $("leave").hidden = true;
  for (const button of $("tables").querySelectorAll("button")) button.disabled = true;
  $("end").hidden = false;
  $("verdict").focus({ preventScroll: true });
  $("end").scrollIntoView({ block: "nearest" });
  await reveal();
}

/** Show the gold and the oracle's way, which the server renders for this ended episode. */
async function reveal() {
  const episode = now;
  const say = (text, again) => {
    $("revealing").textContent = text;
    $("retry").hidden = !again;
  };
  $("revealed").replaceChildren();
  say("Fetching the answer …", false);
  try {
    const response = await fetch(`ends/${episode.episode_id}`);
    const shown = await response.text();
    if (now !== episode) return;
    if (!response.ok) throw new Error();
    $("revealed").innerHTML = shown; // the server's own, escaped there
    paintAll($("revealed"));
    say("", false);
  } catch {
    if (now === episode) say("The answer could not be fetched.", true);
  }
}

function busy(doing) {
  running = doing.endsWith("…");
  $("working").textContent = doing;
  document.body.toggleAttribute("data-busy", running);
}
