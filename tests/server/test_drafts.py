"""Reading drafts: a user's own lines and Spider's lists, and what is said of those that are wrong."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from sql_env.server.drafts import read_drafts, read_spider
from sql_env.server.errors import DataError


def test_drafts_are_numbered_by_database(tmp_path: Path) -> None:
    lines = [
        {"db_id": "a", "question": "1?", "gold_sql": "x"},
        {"db_id": "b", "question": "2?", "gold_sql": "y", "source": "own", "split": "test"},
        {"db_id": "a", "question": "3?", "gold_sql": "z"},
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    drafts = read_drafts([tmp_path / "q.jsonl"], "mine")
    assert [d.question_id for d in drafts] == ["a-001", "b-001", "a-002"]
    assert [(d.source, d.split) for d in drafts] == [("mine", ""), ("own", "test"), ("mine", "")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ('{"db_id": "a"}', "lacks gold_sql, question"),
        ('{"db_id": "a", "question": "?"}', "lacks gold_sql"),
    ],
)
def test_a_bad_draft_is_named_with_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    good = '{"db_id": "a", "question": "?", "gold_sql": "x"}'
    (tmp_path / "q.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(DataError) as error:
        read_drafts([tmp_path / "q.jsonl"], "mine")
    assert str(error.value) == f"{tmp_path / 'q.jsonl'}:2: {said}"


@pytest.mark.parametrize("text", ["{", "3", "[3]", '[{"db_id": "a"}]', '{"db_id": "a"}', None])
def test_a_file_that_is_not_spiders_is_named_with_its_remedy(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "train_spider.json").write_text(text)
    with pytest.raises(DataError, match=r"train_spider\.json .*run: python scripts/download_spider\.py"):
        read_spider(tmp_path, None)


GOOD = {"db_id": "a", "question": "?", "gold_sql": "x"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GOOD | {"question": 3}, "q.jsonl:1: question must be text, not 3"),
        (GOOD | {"gold_sql": " "}, "q.jsonl:1: gold_sql must be text, not ' '"),
        (GOOD | {"split": None}, "q.jsonl:1: split must be text, not None"),
        (GOOD | {"split": "all"}, "q.jsonl:1: 'all' means every split"),
    ],
)
def test_a_field_that_is_wrong_is_named(tmp_path: Path, line: dict[str, object], said: str) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(line))
    with pytest.raises(DataError) as error:
        read_drafts([tmp_path / "q.jsonl"], "mine")
    assert said in str(error.value)


def test_ids_of_ones_own_are_kept_and_have_to_differ(tmp_path: Path) -> None:
    lines = [GOOD | {"question_id": "mine"}, GOOD, GOOD | {"question_id": "a-003"}, GOOD]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines[:3])))
    assert [d.question_id for d in read_drafts([tmp_path / "q.jsonl"], "mine")] == ["mine", "a-002", "a-003"]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines[:2] + lines[2:3] + lines[2:3])))
    with pytest.raises(DataError, match="question_id 'a-003' stands twice"):
        read_drafts([tmp_path / "q.jsonl"], "mine")


def test_a_byte_order_mark_is_no_fault_and_other_encodings_are_named(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(GOOD), "utf-8-sig")
    assert len(read_drafts([tmp_path / "q.jsonl"], "mine")) == 1
    (tmp_path / "q.jsonl").write_text(json.dumps(GOOD), "utf-16")
    with pytest.raises(DataError, match=r"q\.jsonl: not UTF-8 text"):
        read_drafts([tmp_path / "q.jsonl"], "mine")


def test_with_all_of_spider_its_own_border_is_kept(shared_spider: Path) -> None:
    splits = defaultdict(set)
    for item in read_spider(shared_spider, None):
        splits[item.source].add(item.split)
    assert splits == {"spider/train_spider": {""}, "spider/dev": {"test"}}
