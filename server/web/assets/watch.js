// Recorded episodes, two beside each other, step by step.

import { $, banner, el, fill, rewardChart, verb, verdictWords } from "./parts.js";
import { argumentOf } from "./sql.js";

const episodes = [];
let at = 0, timer = null;

export async function start() {
  const form = $("pick").elements;
  form.task.addEventListener("change", offerPolicies);
  for (const side of ["left", "right"]) form[side].addEventListener("change", restart);
  form.files.addEventListener("change", () => openFiles([...form.files.files]));
  $("first").addEventListener("click", restart);
  $("back").addEventListener("click", () => go(at - 1));
  $("forward").addEventListener("click", () => go(at + 1));
  $("run").addEventListener("click", () => (timer ? pause() : play()));
  $("at").addEventListener("input", () => go(Number($("at").value)));
  const response = await fetch("replays.json");
  if (response.ok) episodes.push(...(await response.json()));
  offerTasks();
}

async function openFiles(files) {
  const read = [];
  for (const file of files) {
    const text = await file.text();
    try {
      const lines = text.split("\n").filter((line) => line.trim());
      const found = text.trimStart().startsWith("[") ? JSON.parse(text) : lines.map((line) => JSON.parse(line));
      if (!found.length || !found.every(isEpisode)) throw new Error();
      read.push(...found);
    } catch {
      return banner(`${file.name} holds no trajectories: open a trajectories.jsonl of scripts/evaluate.py.`);
    }
  }
  banner("");
  episodes.unshift(...read);
  offerTasks();
}

const isText = (...texts) => texts.every((text) => typeof text === "string");
const isStep = (step) => isText(step?.action_type, step?.argument, step?.result);
const isEpisode = (one) =>
  isText(one?.policy, one?.dataset, one?.split, one?.db_id, one?.task_id, one?.question) &&
  Array.isArray(one.trajectory) &&
  one.trajectory.every(isStep);
const taskKey = (one) => `${one.dataset} ${one.task_id} ${one.variant ?? 0}`;

function offerTasks() {
  const tasks = new Map(episodes.map((one) => [taskKey(one), `${one.task_id}: ${one.question}`.slice(0, 110)]));
  fill($("pick").elements.task, [...tasks]);
  offerPolicies();
}

function offerPolicies() {
  const form = $("pick").elements;
  const here = episodes.map((one, index) => [one, index]).filter(([one]) => taskKey(one) === form.task.value);
  const options = here.map(([one, index]) => [String(index), `${one.policy}${one.repeat ? ` (try ${one.repeat + 1})` : ""}`]);
  fill(form.left, options);
  fill(form.right, options, String(here[1]?.[1] ?? here[0]?.[1]));
  restart();
}

const sides = () => ["left", "right"].map((side) => [$(`${side}-side`), episodes[Number($("pick").elements[side].value)]]);

function restart() {
  pause();
  const one = episodes[Number($("pick").elements.left.value)];
  if (!one) return;
  $("watch-origin").textContent = `${one.dataset} · ${one.db_id} · split ${one.split}`;
  $("watch-question").textContent = one.question;
  $("at").max = Math.max(...sides().map(([, episode]) => episode.trajectory.length));
  go(0);
}

function go(to) {
  const most = Number($("at").max);
  at = Math.min(Math.max(to, 0), most);
  $("at").value = at;
  $("place").textContent = `${at} of ${most}`;
  $("back").disabled = at === 0;
  $("forward").disabled = at === most;
  if (at === most) pause();
  for (const [card, episode] of sides()) card.replaceChildren(...shown(episode));
}

function play() {
  if (at === Number($("at").max)) go(0);
  timer = setInterval(() => go(at + 1), 1200);
  $("run").textContent = "Pause";
}

function pause() {
  clearInterval(timer);
  timer = null;
  $("run").textContent = "Play";
}

function shown(episode) {
  const steps = episode.trajectory.slice(0, at).map((step) => {
    const code = argumentOf(step.action_type, step.argument, episode.answer_form);
    const gave = step.error ? el("p", { class: "error" }, step.error) : el("pre", {}, step.result);
    return el("li", {}, el("p", { class: "did" }, verb(step.action_type), " ", code), gave);
  });
  const parts = [el("h3", {}, episode.policy), el("ol", { class: "steps" }, ...steps)];
  if (at >= episode.trajectory.length) {
    const [headline] = verdictWords(episode.verdict, episode.truncated);
    const sign = episode.correct ? "✓" : "✗";
    parts.push(el("p", { class: `verdict ${episode.correct ? "won" : "lost"}` }, `${sign} ${headline}`));
    if (episode.components) parts.push(el("figure", {}, rewardChart(episode.components, episode.return)));
  }
  return parts;
}
