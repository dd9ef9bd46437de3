"""From a task's number to its database, question and gold: drafts are made until one passes the audit."""

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sql_env.server.curation import answer_type, flaws_of, gold_of, question_of, result_flaws
from sql_env.server.databases import Database
from sql_env.server.drafts import Draft as Written
from sql_env.server.procedural.asking.common import Asked
from sql_env.server.procedural.asking.stock import WAYS, Way
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.composing import compose
from sql_env.server.procedural.dials import Dials
from sql_env.server.procedural.drafts import Draft, MisfitError
from sql_env.server.procedural.soundness import Bench, is_sound
from sql_env.server.procedural.splits import VERSION, all_domains, favour, is_held_out, numbering
from sql_env.server.questions import Question
from sql_env.server.settings import Settings
from sql_env.server.structure import hardness, parse
from sql_env.server.ties import reordered_copies

_WAYS: Final = 12
"""Ways to ask that are tried on one world, before another is composed."""
_DRAFTS: Final = 6
"""Drafts of one way to ask, before another is drawn."""


@dataclass(frozen=True)
class Made:
    """A task.

    Attributes:
        question: the question with its gold.
        database: what it is about, in memory.
        skeleton: what kind of question it is.
        constructs: what it is made of besides.
    """

    question: Question
    database: Database
    skeleton: str
    constructs: tuple[str, ...]


def task_id(split: str, number: int) -> str:
    """Return the id of a task."""
    return f"{VERSION}-{split}-{number}"


def make_task(split: str, number: int) -> Made:
    """Make a task; the same arguments give the same task everywhere.

    Args:
        split: one of ``SIZES``.
        number: from 0.
    """
    name, (dials, domain_name) = task_id(split, number), numbering(split).of(number)
    domain = all_domains()[domain_name]
    ways = [way for way in WAYS if dials.answer_type in way.answers and dials.hardness in way.hardness]
    world_number = 0
    while True:
        chance = Chance(f"sql_env {name} {world_number}")
        world = compose(chance, domain, dials.num_tables, dials.num_rows, dials.distractors)
        with closing(Bench(name, world, chance)) as bench:
            for _ in range(_WAYS):
                way = chance.weighted(ways, [way.weight for way in ways])
                for _ in range(_DRAFTS):
                    made = _attempt(bench, way, name, split, dials)
                    if made is not None:
                        return made
        world_number += 1


def _attempt(bench: Bench, way: Way, name: str, split: str, dials: Dials) -> Made | None:
    """Make one draft; return the task if it is one."""
    richness = bench.chance.choice(_RICHNESS[dials.hardness])
    draft = Draft(bench.chance, bench.world, richness, partial(favour, split, way.name))
    try:
        asked = way.ask(draft)
    except MisfitError:
        return None
    if hardness(asked.tree) != dials.hardness:
        return None
    held_out = any(is_held_out(way.name, tag) for tag in draft.tags)
    if held_out != (split == "compositional"):
        return None
    question = _audited(bench, draft, asked, name, split, dials)
    return Made(question, bench.database, way.name, tuple(draft.tags)) if question else None


_RICHNESS: Final = {"easy": (0,), "medium": (0, 1, 1, 2), "hard": (1, 2), "extra": (2, 3)}


def _audited(bench: Bench, draft: Draft, asked: Asked, name: str, split: str, dials: Dials) -> Question | None:
    """Return a draft as a question, or None if it has a flaw or can be read in two ways."""
    sql = asked.tree.sql(dialect="sqlite")
    result = bench.run(bench.database, sql)
    if result_flaws(result, asked.tree, _SETTINGS) or answer_type(gold_of(result, asked.tree)) != dials.answer_type:
        return None
    if not is_sound(bench, draft, asked.tree, result):
        return None
    tree = parse(sql)
    if hardness(tree) != dials.hardness:
        return None
    copies = lambda: reordered_copies(bench.database, result.tables)  # noqa: E731
    if flaws_of(bench, bench.database, copies, sql, tree, result, _SETTINGS):
        return None
    written = Written(
        question_id=name,
        db_id=bench.world.domain.name,
        question=asked.text,
        gold_sql=sql,
        split=split,
        source=f"procedural {VERSION}",
    )
    return replace(question_of(written, result, tree), twin_group=name)


_SETTINGS: Final = Settings()
"""A task does not depend on a server's settings: the documented ones decide what is too large to be asked."""
