"""Where a question mentions tables, columns and values of a database, and which of two readings is better."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sql_env.agent.analyst.question_reading import Reading, Word, alike, fold, has_meaning, name_words, stem
from sql_env.agent.analyst.schema_reading import Column, Notebook, bare

_PLAIN = frozenset(
    """a an the and or of in on at to for from by with is are was were be been do does did have has had what which who
    whom whose how that this those these it its they their there i me my we our us you your he his she her as if than
    then all any some one two three give show list find return tell please let also more most so up out not no only
    many much""".split()
)
_SILENT = ("count", "quote", "each", "turn", "round", "once", "never", "distinct", "agg", "aside", "filled")
"""Cues whose words name nothing."""
_MISSING = 0.35
_RIVAL = 0.3
"""A candidate that is less behind the best one may still be meant."""
_LEAST = 0.4


@dataclass(frozen=True)
class Mention:
    """Words ``first`` to ``last`` of a question name a table, a column, or a ``value`` of a column."""

    first: int
    last: int
    table: str
    column: Column | None = None
    value: str | None = None
    score: float = 0.0


def relevance(name: str, reading: Reading) -> float:
    """Return which part of a table's name the question says, from 0 to 1."""
    parts = name_words(bare(name))
    words = [word.text for word in reading.words if word.text not in _PLAIN]
    return sum(max((alike(word, part) for word in words), default=0.0) for part in parts) / max(len(parts), 1)


def find_mentions(reading: Reading, notebook: Notebook) -> list[Mention]:
    """Return what a question mentions, in order; no two mentions share a word."""
    open_words = _open_words(reading)
    near = {name: relevance(name, reading) for name in notebook.tables}
    borrowed = {(link.table, name) for link in notebook.links for name in link.columns}
    candidates = [*_value_mentions(reading, notebook, near)]
    whole = {frozenset(map(stem, name_words(bare(name)))) for name in notebook.names}
    for table in notebook.tables:
        candidates += _name_mentions(reading.words, open_words, table, None, near, whole)
    for column in notebook.columns:
        found = _name_mentions(reading.words, open_words, column.table, column, near, whole)
        less = 0.1 if (column.table, column.name) in borrowed else 0.0
        candidates += [replace(mention, score=mention.score - less) for mention in found]
    sure = _tables_of_the_sure(candidates)
    candidates = [replace(m, score=m.score + _RIVAL) if m.table in sure else m for m in candidates]
    return sorted(_without_overlap(candidates), key=lambda mention: mention.first)


def _open_words(reading: Reading) -> list[bool]:
    """Tell for each word whether it may name something."""
    silent = {place for cue in reading.cues if cue.kind in _SILENT for place in range(cue.first, cue.last)}
    ranks = {place for cue in reading.cues if cue.kind == "top" for place in range(cue.first, cue.last)}
    return [
        place not in silent and word.text not in _PLAIN and (place not in ranks or has_meaning(word.text))
        for place, word in enumerate(reading.words)
    ]


def _tables_of_the_sure(candidates: list[Mention]) -> set[str]:
    """Return the tables of the mentions that no candidate of another table comes near."""
    sure = set()
    for mention in _without_overlap(candidates):
        rivals = [m for m in candidates if m.first < mention.last and mention.first < m.last]
        if all(m.table == mention.table or m.score < mention.score - _RIVAL for m in rivals):
            sure.add(mention.table)
    return sure


def _without_overlap(candidates: Iterable[Mention]) -> list[Mention]:
    chosen: list[Mention] = []
    for mention in sorted(candidates, key=lambda mention: -mention.score):
        if all(mention.last <= other.first or other.last <= mention.first for other in chosen):
            chosen.append(mention)
    return chosen


def _name_mentions(
    words: tuple[Word, ...],
    open_words: list[bool],
    table: str,
    column: Column | None,
    near: dict[str, float],
    whole: set[frozenset[str]],
) -> Iterable[Mention]:
    """Yield where a name's words stand together, in any order; ``whole`` are the words of all tables' names."""
    parts = name_words(bare(column.name if column else table))
    for first in range(len(words)):
        rest, score, last = list(parts), 0.0, first
        place = first
        while place < len(words) and rest and words[place].sentence == words[first].sentence:
            if score and place - last < 2 and words[place].text in ("of", "the"):
                place += 1
                continue
            part = max(rest, key=lambda part: alike(words[place].text, part))
            likeness = alike(words[place].text, part)
            if not likeness or not (open_words[place] or (words[place].text == "number" == part and len(parts) > 1)):
                break
            rest.remove(part)
            score, place = score + likeness, place + 1
            last = place
        said = [part for part in parts if part not in rest]
        if not score or (said == ["number"] and rest) or (column and rest and frozenset(map(stem, said)) in whole):
            continue
        score -= sum(_missing(part, words) for part in rest)
        score += 0.05 if column is None else _closeness(words, first, last, table, near)
        if score >= _LEAST:
            yield Mention(first, last, table, column, score=score)


def _missing(part: str, words: tuple[Word, ...]) -> float:
    return 0.1 if any(alike(word.text, part) == 1.0 for word in words) else _MISSING


def _closeness(words: tuple[Word, ...], first: int, last: int, table: str, near: dict[str, float]) -> float:
    """Return how surely a column at a place is one of this table: shop names, owner's name, names of all shops."""
    parts = name_words(bare(table))
    here = list(words[max(first - 1, 0) : first])
    after = [word for word in words[last : last + 4] if last < len(words) and words[last].text in ("of", "for", "in")]
    for bonus, group in ((0.5, here), (0.4, after)):
        if any(alike(word.text, parts[-1]) == 1.0 or stem(word.text) in parts for word in group if parts):
            return bonus * max(near[table], 0.5)
    return 0.25 * near[table]


def _value_mentions(reading: Reading, notebook: Notebook, near: dict[str, float]) -> Iterable[Mention]:
    flat = fold(reading.text)
    for column, value in notebook.found:
        for match in re.finditer(rf"(?<!\w){re.escape(fold(value))}(?:e?s)?(?!\w)", flat):
            first = sum(word.end <= match.start() for word in reading.words)
            last = sum(word.start < match.end() for word in reading.words)
            if first < last and (weight := _weight(reading, first, last, match.start())):
                told = any(
                    alike(word.text, part) == 1.0
                    for word in _around(reading, first, last)
                    for part in name_words(bare(column.name))
                )
                label = any(part in ("name", "title") for part in name_words(bare(column.name)))
                score = weight + 0.5 * told + 0.3 * near[column.table] + 0.1 * label
                yield Mention(first, last, column.table, column, value, score)


def _around(reading: Reading, first: int, last: int) -> tuple[Word, ...]:
    return reading.words[max(first - 3, 0) : first] + reading.words[last : last + 2]


def _weight(reading: Reading, first: int, last: int, start: int) -> float:
    """Return how surely words are a value: quoted ones and capitals inside a sentence are, small words are not."""
    if any(cue.kind == "quote" and cue.first <= first and last <= cue.last for cue in reading.cues):
        return 9.0
    words = reading.words[first:last]
    if all(word.text in _PLAIN or (word.text.isdigit() and len(word.text) < 3) for word in words):
        return 0.0
    begins = first == 0 or reading.words[first - 1].sentence != words[0].sentence
    sure = reading.text[start : start + 1].isupper() and not begins
    return len(words) + (1.5 if sure or words[0].text.isdigit() else -0.1)
