"""The environment in process: episodes, faults, selectors, seeds, what the wire may carry."""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sql_env.models import SQLAction, SQLObservation
from sql_env.server.engine import Engine
from sql_env.server.environment import (
    EPISODE_GONE,
    EPISODE_OVER,
    NO_EPISODE,
    SQL_HINT,
    STEP_RUNNING,
    SQLEnvironment,
)
from sql_env.server.errors import BusyError, TaskError
from sql_env.server.questions import Question, gold_answer
from sql_env.server.resources import Resources

TASK = "allotment_society-001"


@pytest.fixture
def env(resources: Resources) -> SQLEnvironment:
    return SQLEnvironment(resources)


def act(env: SQLEnvironment, kind: str, argument: str = "") -> SQLObservation:
    return env.step(SQLAction(action_type=kind, argument=argument))


def question(resources: Resources, task_id: str = TASK) -> Question:
    return resources.default_dataset.by_id(task_id)


def test_first_observation_names_tables_and_no_column(env: SQLEnvironment, resources: Resources) -> None:
    seen = env.reset(task_id=TASK)
    assert seen.question == question(resources).question
    assert seen.schema_info == "Tables: crop, garden_site, gardener, inspection, lease, planting, plot"
    assert seen.reward is None
    assert not seen.done
    assert seen.budget_remaining == 15
    assert seen.result == ""
    assert seen.metadata == {
        "dataset": "starter",
        "split": question(resources).split,
        "task_id": TASK,
        "db_id": question(resources).db_id,
        "answer_form": "value",
        "variant": 0,
        "seed": None,
    }


def test_describe_shows_types_keys_and_row_count(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    seen = act(env, "describe", "PLOT")
    assert seen.error is None
    assert seen.result.startswith("Table plot, 96 rows\n  plot_id INTEGER PRIMARY KEY\n")
    assert "FOREIGN KEY (site_code) REFERENCES garden_site (site_code)" in seen.result
    assert "plot(plot_id INTEGER, site_code TEXT" in seen.schema_info
    assert seen.reward == 0.0


@pytest.mark.parametrize("name", ["plot", "PLOT", '"plot"', "`Plot`", "[plot]", "main.plot", " plot ; "])
def test_table_names_match_in_any_case_and_quoting(env: SQLEnvironment, name: str) -> None:
    env.reset(task_id=TASK)
    assert act(env, "DESCRIBE", name).error is None
    assert act(env, "SAMPLE", name).error is None


def test_sample_shows_the_same_five_rows_every_time(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    first, second = act(env, "SAMPLE", "plot"), act(env, "SAMPLE", "plot")
    assert len(first.rows) == 5
    assert (first.result, first.rows, first.columns) == (second.result, second.rows, second.columns)


def test_query_gives_text_and_the_same_as_data(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    seen = act(env, "QUERY", "SELECT plot_id, plot_no, Soil FROM plot ORDER BY plot_id")
    assert seen.columns == ["plot_id", "plot_no", "Soil"]
    assert seen.rows[:2] == [[1, "001", "clay"], [2, "002", "clay"]]
    assert seen.result.splitlines()[:2] == ["plot_id | plot_no | Soil", '1 | "001" | clay']
    assert seen.result.splitlines()[-1] == "(20 of 96 rows)"
    assert seen.total_rows == 96
    assert seen.truncated


@pytest.mark.parametrize(
    ("kind", "argument", "said", "error_kind"),
    [
        ("DESCRIBE", "plots", "no table named 'plots'; did you mean plot? Tables: crop, garden_site", "ActionError"),
        ("DESCRIBE", "", "no table named ''; tables: crop", "ActionError"),
        ("SAMPLE", "sqlite_master", "no table named 'sqlite_master'; tables: crop", "ActionError"),
        ("QUERY", "SELECT sol FROM plot", "no such column: sol; did you mean Soil?", "StatementError"),
        ("QUERY", "SELECT 1 FROM plat", "no such table: plat; did you mean plot?", "StatementError"),
        ("QUERY", "", "there is no statement; write one SELECT", "StatementError"),
        ("QUERY", "DROP TABLE plot", "only SELECT statements are allowed; the database is read-only", "ForbiddenError"),
        ("DANCE", "now", "unknown action 'DANCE'; use DESCRIBE, SAMPLE, QUERY, ANSWER", "ActionError"),
        ("QUERY", "SELECT '\ud800'", None, None),
    ],
)
def test_a_fault_is_text_and_costs_a_step(
    env: SQLEnvironment, kind: str, argument: str, said: str | None, error_kind: str | None
) -> None:
    env.reset(task_id=TASK)
    seen = act(env, kind, argument)
    assert said is None or (seen.error or "").startswith(said)
    assert seen.metadata.get("error_kind") == error_kind
    assert seen.step_count == env.state.step_count == 1
    assert not seen.done
    assert seen.reward == 0.0
    seen.model_dump_json()


def test_right_answer_at_par_earns_one(env: SQLEnvironment, resources: Resources) -> None:
    gold = question(resources)
    env.reset(task_id=TASK)
    for table in gold.tables:
        act(env, "DESCRIBE", table)
    act(env, "QUERY", gold.gold_sql)
    seen = act(env, "ANSWER", gold_answer(gold.gold_rows))
    assert seen.done
    assert seen.reward == 1.0
    assert seen.metadata["components"] == {"execution": 0.0, "correctness": 1.0, "efficiency": 0.0}
    assert (seen.metadata["verdict"], seen.metadata["terminated"], seen.metadata["truncated"]) == (
        "correct",
        True,
        False,
    )
    assert [name for name, _ in env.rubric.named_rubrics()] == ["execution", "correctness", "efficiency"]


def test_wrong_answer_with_the_gold_at_hand_earns_evidence_only(env: SQLEnvironment, resources: Resources) -> None:
    env.reset(task_id=TASK)
    act(env, "QUERY", question(resources).gold_sql)
    seen = act(env, "ANSWER", "no idea")
    assert seen.reward == pytest.approx(0.2)
    assert seen.metadata["verdict"] == "wrong_value"


def test_the_last_step_that_is_no_answer_truncates(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    for left in range(14, 0, -1):
        seen = act(env, "SAMPLE", "plot")
        assert (seen.done, seen.budget_remaining) == (False, left)
    seen = act(env, "SAMPLE", "plot")
    assert seen.done
    assert seen.reward == -0.1
    assert (seen.metadata["verdict"], seen.metadata["truncated"]) == (None, True)


def test_step_before_reset_after_end_and_after_close_is_an_explicit_error(env: SQLEnvironment) -> None:
    before = act(env, "ANSWER", "1")
    assert (before.error, before.done, before.reward) == (NO_EPISODE, True, 0.0)
    env.reset(task_id=TASK)
    act(env, "ANSWER", "1")
    state = env.state
    after = act(env, "ANSWER", "47")
    assert (after.error, after.done, after.reward, after.step_count) == (EPISODE_OVER, True, 0.0, 1)
    assert env.state == state
    env.close()
    closed = act(env, "QUERY", "SELECT 1")
    assert (closed.error, closed.done, closed.reward) == (NO_EPISODE, True, 0.0)
    assert env.reset(task_id=TASK).error is None


@pytest.mark.parametrize(
    ("selectors", "said"),
    [
        ({"task_id": "nosuch"}, "unknown task_id 'nosuch'"),
        ({"split": "validation"}, "unknown split 'validation'; starter has: train"),
        ({"db_id": "../../etc/passwd"}, "unknown database"),
        ({"dataset": "spider2"}, "unknown data set 'spider2'; this server has: starter"),
        ({"hardness": "trivial"}, "no question of starter fits"),
        ({"index": 10_000}, "index 10000 is out of range"),
        ({"index": -1}, "index must be at least 0"),
        ({"index": "1"}, "index must be an integer"),
        ({"seed": "x"}, "seed must be an integer"),
        ({"seed": True}, "seed must be an integer"),
        ({"seed": -5}, "seed must be at least 0"),
        ({"task_id": TASK, "split": "nosuch"}, f"task {TASK} has split"),
        ({"answer_form": "SQL"}, "answer_form must be 'value' or 'sql'"),
        ({"answer_form": 3}, "answer_form must be a string"),
        ({"variant": -1}, "variant must be at least 0, not -1"),
        ({"variant": True}, "variant must be an integer, not 'True'"),
        ({"variant": "3"}, "variant must be an integer, not '3'"),
        ({"variant": 10**9}, "variant must be at most 1000000, not 1000000000"),
        ({"episode_id": 5}, "episode_id must be a string"),
    ],
)
def test_a_wrong_selector_is_a_clear_error_and_no_episode_runs(
    env: SQLEnvironment, selectors: dict[str, object], said: str
) -> None:
    env.reset(task_id=TASK)
    with pytest.raises(TaskError, match=said.replace("(", "\\(")):
        env.reset(**selectors)
    assert act(env, "SAMPLE", "plot").error == NO_EPISODE


def test_unknown_keywords_are_ignored_and_nulls_mean_absent(env: SQLEnvironment) -> None:
    seen = env.reset(task_id=TASK, prompt=[{"role": "user"}], split=None, db_id=None, reward=1.0, seed=None)
    assert seen.metadata["task_id"] == TASK


def test_a_seed_gives_the_same_task_and_the_same_bytes(resources: Resources) -> None:
    def play(seed: int) -> list[str]:
        env = SQLEnvironment(resources)
        seen = [env.reset(seed=seed)]
        for table in seen[0].schema_info.removeprefix("Tables: ").split(", "):
            seen += [act(env, "DESCRIBE", table), act(env, "SAMPLE", table)]
        return [observation.model_dump_json() for observation in seen]

    assert play(11) == play(11)
    assert len({play(seed)[0] for seed in range(20)}) > 10


def test_tasks_are_drawn_from_the_training_split_unless_asked(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    assert {env.reset(seed=seed).metadata["split"] for seed in range(50)} == {"train"}
    assert {env.reset(seed=seed, split="all").metadata["split"] for seed in range(80)} == {"train", "eval", "test"}


def test_every_index_reaches_every_question_once(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    questions = resources.default_dataset.questions
    seen = [env.reset(split="all", index=i).metadata["task_id"] for i in range(len(questions))]
    assert seen == [q.question_id for q in questions]
    assert env.reset(split="all", index=0).metadata["num_tasks"] == len(questions)


async def test_step_async_equals_step(resources: Resources) -> None:
    actions = [
        ("DESCRIBE", "plot"),
        ("SAMPLE", "lease"),
        ("QUERY", "SELECT count(*) FROM plot a, plot b, plot c"),
        ("QUERY", "x"),
    ]
    one, two = SQLEnvironment(resources), SQLEnvironment(resources)
    assert one.reset(task_id=TASK).model_dump_json() == (await two.reset_async(task_id=TASK)).model_dump_json()
    for kind, argument in actions:
        action = SQLAction(action_type=kind, argument=argument)
        assert one.step(action).model_dump_json() == (await two.step_async(action)).model_dump_json()


async def test_steps_of_one_episode_do_not_overlap(resources: Resources) -> None:
    """Two answers at once would be paid twice."""
    env = SQLEnvironment(resources)
    env.reset(task_id=TASK, answer_form="sql")
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r LIMIT 200000) SELECT max(n) FROM r"
    step = asyncio.create_task(env.step_async(SQLAction(action_type="ANSWER", argument=slow)))
    await asyncio.sleep(0.001)
    second = await env.step_async(SQLAction(action_type="ANSWER", argument=slow))
    assert env.state.step_count == 1
    assert (second.error, second.done, second.reward, second.step_count) == (STEP_RUNNING, False, 0.0, 1)
    assert ((await step).done, env.state.step_count) == (True, 1)


def test_threads_cannot_be_paid_twice(resources: Resources) -> None:
    for number in range(200):
        env = SQLEnvironment(resources)
        env.reset(task_id=TASK)
        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(lambda _: act(env, "ANSWER", "47"), range(4)))  # noqa: B023
        assert sorted(observation.reward for observation in seen) == [0.0, 0.0, 0.0, 1.0], number


def test_a_step_that_fails_by_our_own_fault_is_spent_and_its_end_is_told(
    env: SQLEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds a way to make the server fail escapes neither the budget nor what the episode earned."""
    env.reset(task_id=TASK)
    monkeypatch.setattr("sql_env.server.episode.grade", lambda *_: 1 / 0)
    with pytest.raises(RuntimeError, match="the server failed"):
        act(env, "ANSWER", "47")
    monkeypatch.undo()
    late = act(env, "ANSWER", "47")
    assert (late.error, late.done, late.reward, late.metadata["verdict"]) == (EPISODE_OVER, True, -0.1, "unparsable")
    assert (act(env, "ANSWER", "47").reward, env.state.step_count) == (0.0, 1)

    env.reset(task_id=TASK)
    monkeypatch.setattr("sql_env.server.environment.show_known", lambda *_: 1 / 0)
    for _ in range(15):
        with pytest.raises(RuntimeError, match="the server failed"):
            act(env, "SAMPLE", "plot")
    monkeypatch.undo()
    late = act(env, "ANSWER", "47")
    assert (late.error, late.reward, late.metadata["truncated"], late.step_count) == (EPISODE_OVER, -0.1, True, 15)
    assert act(env, "ANSWER", "47").reward == 0.0


async def test_cancelled_steps_are_spent(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    env.reset(task_id=TASK)
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r"
    for _ in range(15):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(env.step_async(SQLAction(action_type="QUERY", argument=slow)), 0.01)
    late = await env.step_async(SQLAction(action_type="ANSWER", argument="47"))
    assert (late.error, late.done, late.reward, late.step_count) == (EPISODE_OVER, True, -0.1, 15)


SURROGATE = "\ud800"


def test_lone_surrogates_are_replaced_wherever_they_stand(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    for kind, argument in ((SURROGATE, "x"), ("DESCRIBE", SURROGATE), ("QUERY", SURROGATE), ("ANSWER", SURROGATE)):
        act(env, kind, argument).model_dump_json()
    assert env.state.done
    with pytest.raises(TaskError, match="episode_id must be Unicode text"):
        env.reset(task_id=TASK, episode_id=SURROGATE)
    for name in ("task_id", "split", "db_id", "hardness", "dataset", "answer_form"):
        for selectors in ({name: SURROGATE}, {"task_id": TASK, name: SURROGATE}):
            with pytest.raises(TaskError) as error:
                env.reset(**selectors)
            str(error.value).encode()


async def test_a_step_that_overlaps_the_official_measure_does_not_end_the_episode(
    env: SQLEnvironment, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict is there by then; whoever waits for the answer's observation still gets its reward."""
    statements = []

    async def slowly(database: object, sql: str, limits: object) -> object:
        statements.append(sql)
        await asyncio.sleep(0.05)
        return Engine.run(resources.engine, database, sql, limits)

    env.reset(task_id=TASK, answer_form="sql")
    monkeypatch.setattr(resources.engine, "run_async", slowly)
    step = asyncio.create_task(env.step_async(SQLAction(action_type="ANSWER", argument=IN_SQL[0][0])))
    while len(statements) < 5:  # the answer, three variants, the official measure
        await asyncio.sleep(0.01)
    second = await env.step_async(SQLAction(action_type="SAMPLE", argument="plot"))
    assert (second.error, second.done, second.reward) == (STEP_RUNNING, False, 0.0)
    assert (await step).reward == 1.0


def test_state_tells_of_steps_that_failed(env: SQLEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    env.reset(task_id=TASK)
    monkeypatch.setattr("sql_env.server.environment.show_known", lambda *_: 1 / 0)
    for number in range(1, 16):
        with pytest.raises(RuntimeError):
            act(env, "SAMPLE", "plot")
        assert (env.state.step_count, env.state.done) == (number, number == 15)


def test_close_and_reset_in_other_threads_mix_no_episodes(resources: Resources) -> None:
    """What a step reports belongs to the episode that it was taken in, or it says that this one is gone."""
    other, interval = "allotment_society-012", sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for number in range(300):
                env = SQLEnvironment(resources)
                env.reset(task_id=TASK)
                end = pool.submit(env.close) if number % 2 else pool.submit(env.reset, task_id=other)
                seen = pool.submit(act, env, "ANSWER", "47").result()
                end.result()
                if seen.error is None:
                    assert (seen.reward, seen.metadata["task_id"]) in ((1.0, TASK), (-0.1, other))
                    assert seen.metadata["outcome_return"] == seen.reward
                else:
                    assert (seen.error in (EPISODE_GONE, NO_EPISODE), seen.reward) == (True, 0.0)
                if number % 2 == 0 and seen.metadata.get("task_id") != other:
                    assert (env.state.task_id, env.state.step_count, env.state.done) == (other, 0, False)
    finally:
        sys.setswitchinterval(interval)


def test_a_potential_is_paid_even_after_an_observation_that_failed(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = SQLEnvironment(Resources(replace(resources.settings, reward_mode="shaped"), resources.datasets))
    env.reset(task_id=TASK)
    paid = [act(env, "DESCRIBE", "plot").reward]
    monkeypatch.setattr("sql_env.server.environment.show_known", lambda *_: 1 / 0)
    with pytest.raises(RuntimeError):
        act(env, "DESCRIBE", "lease")
    monkeypatch.undo()
    last = act(env, "ANSWER", "47")
    assert sum([*paid, last.reward]) == pytest.approx(last.metadata["outcome_return"]) == 1.0


async def test_a_cancelled_step_does_not_hold_the_episode(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    env.reset(task_id=TASK)
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r"
    step = asyncio.create_task(env.step_async(SQLAction(action_type="QUERY", argument=slow)))
    await asyncio.sleep(0.05)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert act(env, "SAMPLE", "plot").error is None


async def test_close_while_a_statement_runs_is_answered_clearly(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    env.reset(task_id=TASK)
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r"
    step = asyncio.create_task(env.step_async(SQLAction(action_type="QUERY", argument=slow)))
    await asyncio.sleep(0.1)
    env.close()
    seen = await step
    assert (seen.error, seen.done) == (EPISODE_GONE, True)


async def test_a_new_episode_never_gets_the_result_of_the_old_one(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    env.reset(task_id=TASK)
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r"
    step = asyncio.create_task(env.step_async(SQLAction(action_type="QUERY", argument=slow)))
    await asyncio.sleep(0.1)
    env.reset(task_id=TASK)
    assert (await step).error == EPISODE_GONE
    assert env.state.step_count == 0


def test_a_fault_of_ours_reaches_the_client_without_its_text(
    env: SQLEnvironment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    env.reset(task_id=TASK)
    monkeypatch.setattr("sql_env.server.actions.show_result", lambda *_: 1 / 0)
    with pytest.raises(RuntimeError, match="the server failed to carry this out") as raised:
        act(env, "QUERY", "SELECT * FROM plot")
    assert raised.value.__cause__ is None
    assert "division" not in str(raised.value)
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    assert act(env, "QUERY", "SELECT * FROM plot").error is None


def test_what_is_shown_of_a_table_is_made_once_and_is_nobodys_to_change(env: SQLEnvironment) -> None:
    told = []
    for _ in range(3):
        env.reset(task_id=TASK)
        for action in ("DESCRIBE", "SAMPLE"):
            seen = act(env, action, "plot")
            told.append((action, seen.model_dump_json()))
            for row in seen.rows:
                row.clear()
            seen.rows.clear()
            seen.columns.append("mine")
    assert len(told) == 6
    assert len(set(told)) == 2, "the same bytes, whatever another session did with its observation"
    shown = [json.loads(text)["rows"] for action, text in told if action == "SAMPLE"]
    assert all(len(rows) == 5 for rows in shown)
    env.reset(task_id=TASK, variant=1)
    assert act(env, "SAMPLE", act(env, "QUERY", "SELECT 1").schema_info.split()[1].strip(",")).rows != shown[0]


def test_state_says_which_episode_and_nothing_else(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK, episode_id="mine")
    act(env, "SAMPLE", "plot")
    assert env.state.model_dump() == {
        "episode_id": "mine",
        "step_count": 1,
        "task_id": TASK,
        "dataset": "starter",
        "db_id": "allotment_society",
        "done": False,
    }


def test_history_and_observation_stay_small_whatever_is_sent(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    for kind in ("QUERY", "DESCRIBE", "SAMPLE", "x" * 100_000):
        seen = act(env, kind, "y" * 1_000_000)
        assert len(seen.model_dump_json()) < 10_000
    assert len(act(env, "ANSWER", "z" * 1_000_000).model_dump_json()) < 10_000


def test_tasks_carry_no_gold(env: SQLEnvironment, resources: Resources) -> None:
    assert env.list_splits() == ["train", "eval", "test"]
    tasks = [task for split in env.list_splits() for task in env.list_tasks(split)]
    assert len(tasks) == env.num_tasks("all") == len(resources.default_dataset.questions)
    assert {key for task in tasks for key in task} == {
        "id", "index", "split", "db_id", "question", "hardness",
    }  # fmt: skip
    assert env.get_task("train", 3) == env.get_task_range("train", 3, 4)[0]
    with pytest.raises(IndexError):
        env.get_task("train", 10_000)
    with pytest.raises(TaskError):
        env.num_tasks("nosuch")


def test_construction_loads_nothing(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.open", lambda *_a, **_k: pytest.fail("a file was opened"))
    monkeypatch.setattr("apsw.Connection", lambda *_a, **_k: pytest.fail("a database was opened"))
    SQLEnvironment(resources)


def test_metadata_names_the_data_sets(env: SQLEnvironment) -> None:
    assert "starter (348 questions about 8 databases)" in env.get_metadata().description


def test_observations_are_json(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    seen = act(env, "QUERY", "SELECT 9e999, 9223372036854775807, x'00ff', NULL, char(0), cast(x'ff' as text)")
    rows = json.loads(seen.model_dump_json())["rows"]
    assert rows == [["Infinity", "9223372036854775807", "x'00ff'", None, "\x00", "\ufffd"]]


# --- the answer in SQL -----------------------------------------------------------------------------------

IN_SQL = [
    ("SELECT COUNT(*) FROM plot WHERE has_shed = 1", "correct", True),
    ("```sql\nSELECT COUNT(*) FROM plot WHERE has_shed = 1;\n```", "correct", True),
    ("Answer: SELECT COUNT(*) FROM plot WHERE has_shed = 1", "correct", True),
    ("SELECT CAST(COUNT(*) AS TEXT) FROM plot WHERE has_shed = 1", "correct", False),
    ("SELECT COUNT(*) + 0.0 FROM plot WHERE has_shed = 1", "correct", True),
    ("SELECT 47", "wrong_on_variant", True),
    ("SELECT '47'", "wrong_on_variant", False),
    ("SELECT COUNT(*) FROM plot WHERE has_shed > 0 AND plot_id <> 1000", "correct", True),
    ("SELECT 48", "wrong_value", False),
    ("SELECT 47, 47", "wrong_shape", False),
    ("SELECT DISTINCT 47 FROM plot", "wrong_on_variant", False),
    ("SELECT 47 FROM plot", "wrong_shape", False),
    ("SELECT COUNT(*) FROM plot WHERE has_shed > = 1", "unparsable", True),
    ("SELECT 47 WHERE 0", "empty", False),
    ("", "empty", False),
    ("Answer:", "empty", False),
    ("47", "unparsable", False),
    ("SELECT nope FROM plot", "unparsable", False),
    ("DELETE FROM plot", "unparsable", False),
    ("SELECT 47; SELECT 48", "unparsable", False),
    ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r", "unparsable", False),
    ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r LIMIT 6000) SELECT n FROM r", "wrong_shape", False),
]


@pytest.mark.parametrize(("sql", "verdict", "official"), IN_SQL)
def test_an_answer_in_sql_is_run_and_graded(env: SQLEnvironment, sql: str, verdict: str, official: bool | None) -> None:
    first = env.reset(task_id=TASK, answer_form="sql")
    assert (first.metadata["answer_form"], first.result) == ("sql", SQL_HINT)
    seen = act(env, "ANSWER", sql)
    assert seen.done
    assert (seen.metadata["verdict"], seen.metadata["official_execution_accuracy"]) == (verdict, official)
    assert (seen.reward or 0) >= 0.8 if verdict == "correct" else (seen.reward or 0) <= 0.2
    assert seen.metadata["test_suite_accuracy"] == (verdict == "correct")
    assert (seen.columns, seen.rows) == ([], [])
    assert act(env, "ANSWER", "SELECT 47").error == EPISODE_OVER


def test_without_variants_one_database_decides(resources: Resources) -> None:
    own = Resources(replace(resources.settings, suite_variants=0), resources.datasets)
    env = SQLEnvironment(own)
    for sql, verdict, accuracy in (("SELECT 47", "correct", None), ("SELECT 48", "wrong_value", False)):
        env.reset(task_id=TASK, answer_form="sql")
        end = act(env, "ANSWER", sql).metadata
        assert (end["verdict"], end["test_suite_accuracy"]) == (verdict, accuracy)
    own.close()


def test_what_is_wrong_with_an_answer_in_sql_is_said(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK, answer_form="sql")
    assert act(env, "ANSWER", "SELECT has_shet FROM plot").error == "no such column: has_shet; did you mean has_shed?"
    env.reset(task_id=TASK, answer_form="sql")
    assert act(env, "ANSWER", "SELECT 48").result == "Not correct: wrong_value."


def test_an_answer_in_sql_leaves_its_result_as_evidence(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK, answer_form="sql")
    seen = act(env, "ANSWER", "SELECT COUNT(*), 1 FROM plot WHERE has_shed = 1")
    assert (seen.metadata["verdict"], seen.reward) == ("wrong_shape", 0.0)
    assert seen.metadata["components"] == {"execution": pytest.approx(0.1), "correctness": -0.1, "efficiency": 0.0}


def test_only_an_answer_in_sql_has_an_official_accuracy(env: SQLEnvironment) -> None:
    env.reset(task_id=TASK)
    end = act(env, "ANSWER", "47").metadata
    assert not {"official_execution_accuracy", "test_suite_accuracy"} & end.keys()


async def test_an_answer_in_sql_that_gets_no_turn_is_not_graded(
    env: SQLEnvironment, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise BusyError("the server is busy: no turn within 30 s; try again")

    env.reset(task_id=TASK, answer_form="sql")
    monkeypatch.setattr(resources.engine, "run_async", busy)
    seen = await env.step_async(SQLAction(action_type="ANSWER", argument="SELECT 47"))
    assert (seen.done, seen.error) == (False, "the server is busy: no turn within 30 s; try again")
    monkeypatch.undo()
    again = await env.step_async(SQLAction(action_type="ANSWER", argument=IN_SQL[0][0]))
    assert again.metadata["verdict"] == "correct"
