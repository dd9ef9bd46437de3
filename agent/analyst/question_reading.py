"""A question → its words, and the turns of phrase in it that stand for a part of a query.

Plain English, read with tables of phrases and no grammar; what no table holds is left as a word. Nothing is known here
about a database.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Word:
    """One word; ``text`` is in lower case without accents, ``start`` and ``end`` count characters."""

    text: str
    start: int
    end: int
    sentence: int


@dataclass(frozen=True)
class Cue:
    """A turn of phrase.

    Attributes:
        kind: a name of ``PHRASES``, such as ``count`` or ``top``.
        value: what goes with it: an SQL operator, a direction, a number, a text.
        first: its first word's place.
        last: the place after its last word.
        number: the number in it, as SQL; the upper bound too where there are two.
    """

    kind: str
    value: str
    first: int
    last: int
    number: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a question says, as far as it is understood."""

    text: str
    words: tuple[Word, ...]
    cues: tuple[Cue, ...]

    def all(self, kind: str) -> list[Cue]:
        """Return the cues of a kind, in order."""
        return [cue for cue in self.cues if cue.kind == kind]

    def has(self, kind: str) -> bool:
        """Return whether there is a cue of a kind."""
        return bool(self.all(kind))


_NUMBER_WORDS = {word: str(n) for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)}
_NUMBER_WORDS |= {"zero": "0", "eleven": "11", "twelve": "12", "once": "1", "twice": "2"}
_N = r"(?<![\w.])(?:€|\$)?(\d[\d,]*(?:\.\d+)?|" + "|".join(_NUMBER_WORDS) + r")(?!\w)"
_MORE = r"(?:more|greater|larger|higher|bigger|longer|older|heavier|taller|later) than|over|above|exceed(?:s|ing)?"
_LESS = r"(?:less|fewer|smaller|lower|shorter|younger|lighter|cheaper|earlier) than|under|below"
_MOST = "most recent(?:ly)?|most|highest|largest|biggest|greatest|longest|latest|newest|heaviest|oldest|tallest|best"
_FEWEST = "least|fewest|lowest|smallest|shortest|earliest|youngest|lightest|cheapest|rarest|worst"
_MEAN = r"(?:the |its |their )?(?:overall )?(?:average|mean)"
_SKIP = "skip|leave out|leaving out|ignore|ignoring|omit|omitting|disregard|not counting"
_MONTHS = "january february march april may june july august september october november december".split()

PHRASES: tuple[tuple[str, str, str], ...] = (
    ("quote", "", r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)|(?<!\w)‘([^’]+)’(?!\w)"),
    ("round", "", rf"{_N} (?:decimals?|decimal places?|places?)\b"),
    ("round", "2", r"to the cent\b"),
    ("beside", ">", rf"(?:{_MORE}|than) {_MEAN}"),
    ("beside", "<", rf"(?:{_LESS}) {_MEAN}"),
    ("between", "", rf"(?:between|from) {_N} (?:and|to) {_N}"),
    ("between", "", rf"no less than {_N} and no more than {_N}"),
    ("compare", ">=", rf"(?:at least|no fewer than|no less than|not less than|minimum of) {_N}"),
    ("compare", "<=", rf"(?:at most|no more than|not more than|up to|maximum of) {_N}"),
    ("compare", ">=", rf"{_N} (?:\w+ )?or (?:more|over|above|longer|later|older)\b"),
    ("compare", "<=", rf"{_N} (?:\w+ )?or (?:less|fewer|under|below|earlier)\b"),
    ("compare", ">", rf"(?:{_MORE}|after|since) (?:the year |year |age )?{_N}"),
    ("compare", "<", rf"(?:{_LESS}|before) (?:the year |year |age )?{_N}"),
    ("compare", ">", rf"(?:more|greater|larger|higher|longer|older|bigger) \w+ than {_N}"),
    ("compare", "<", rf"(?:less|fewer|smaller|lower|shorter|younger) \w+ than {_N}"),
    ("compare", "=", rf"exactly {_N}"),
    ("date", "", rf"\b(\d\d?) ({'|'.join(_MONTHS)}) (\d{{4}})"),
    ("month", "", rf"\b({'|'.join(_MONTHS)}) (\d{{4}})"),
    ("filled", "", rf"(?:{_SKIP}) (?:[\w']+ ){{0,8}}?(?:missing|blank|empty)\b[^.?!;]*"),
    ("aside", "", rf"(?:{_SKIP})\b[^.?!;,]*|\bincluding\b[^.?!;,]*|,(?: [\w'-]+){{1,4}}? included\b"),
    ("prefix", "", r"\b(?:start|begin)(?:s|ing)? with (?:the )?(?:letter |word |letters )?"),
    ("suffix", "", r"\bend(?:s|ing)? (?:with|in) (?:the )?(?:letter |word |letters )?"),
    ("part", "", r"\bcontain(?:s|ing)?\b(?: the (?:word|substring|letters?))?|\b(?:substring|the word)\b"),
    ("count", "", r"\b(?:how many|(?:total )?numbers? of|count(?: of)?|the number)\b(?! (?:and|or|of the)\b(?! \w))"),
    ("agg", "AVG", r"\b(?:average|mean|on average)\b"),
    ("agg", "MAX", r"\b(?:maximum|max)\b"),
    ("agg", "MIN", r"\b(?:minimum|min)\b"),
    ("agg", "SUM", r"\b(?:total|sum|in total|in all|altogether)\b"),
    ("sort", "DESC", rf"\b(?:in )?(?:descending|decreasing|reverse)\b|\b(?:{_MOST}) first\b"),
    ("sort", "ASC", rf"\balphabetical(?:ly)?|\b(?:in )?(?:ascending|increasing)\b|\b(?:{_FEWEST}) first\b"),
    ("sort", "", r"\b(?:sort|order|rank|arrang)(?:ed)? (?:\w+ ){0,4}?by\b|\bin (?:the )?order of\b"),
    ("top", "DESC", rf"\b(?:top {_N}|{_N} (?:{_MOST})|(?:{_MOST})\b)"),
    ("top", "ASC", rf"\b(?:{_N} (?:{_FEWEST})|(?:{_FEWEST})\b)"),
    ("once", "", r"\b(?:each|every) (?:\w+ ){0,3}?(?:only |just )?once\b|\bonce each\b"),
    ("each", "", r"\b(?:for |by |in |of |from |on |at |to )?(?:each|every|per)\b(?! other)"),
    ("distinct", "", r"\b(?:distinct|different|unique)\b"),
    ("never", "", r"\b(?:never|not|no|without|nobody|neither|none|cannot)\b|n't\b"),
    ("both", "", r"\bboth\b"),
    ("turn", "", r"\b(?:whose|who|that|where|with|having|when|while|according|based|used|used by)\b"),
    ("number", "", _N),
)
"""Kind, value and pattern of each turn of phrase; where two overlap, the one listed first is meant."""

_COMPILED = tuple((kind, value, re.compile(pattern)) for kind, value, pattern in PHRASES)
_WORD = re.compile(r"[^\W_]+(?:'(?!s\b)[^\W_]+)*")
_LONGEST = 600


@lru_cache(maxsize=256)
def read_question(text: str) -> Reading:
    """Read a question, its first 600 characters."""
    text = text[:_LONGEST]
    flat = re.sub(r"e-mail", "email ", fold(text))
    words = tuple(_words(flat))
    return Reading(text, words, tuple(_cues(text, flat, words)))


def fold(text: str) -> str:
    """Return a text in lower case without accents, character by character, so that places stay."""
    return "".join(unicodedata.normalize("NFKD", char)[0].lower()[:1] or char for char in text)


def _words(flat: str) -> list[Word]:
    words: list[Word] = []
    sentence, place = 0, 0
    for match in _WORD.finditer(flat):
        sentence += bool(words) and re.search(r"[?!;:]|\.\s|\.$", flat[place : match.start()]) is not None
        place = match.end()
        words.append(Word(match[0], match.start(), match.end(), sentence))
    return words


def _cues(text: str, flat: str, words: tuple[Word, ...]) -> list[Cue]:
    cues: list[Cue] = []
    taken = [False] * (len(flat) + 1)
    for kind, value, pattern in _COMPILED:
        for match in pattern.finditer(flat):
            if any(taken[match.start() : match.end()]):
                continue
            taken[match.start() : match.end()] = [True] * (match.end() - match.start())
            cues.append(_cue(kind, value, match, text, words))
    return sorted(cues, key=lambda cue: (cue.first, cue.last))


def _cue(kind: str, value: str, match: re.Match[str], text: str, words: tuple[Word, ...]) -> Cue:
    first = sum(word.end <= match.start() for word in words)
    last = sum(word.start < match.end() for word in words)
    groups = [group for group in match.groups() if group]
    if kind == "quote":
        value = text[match.start() + 1 : match.end() - 1]
    elif kind == "date":
        value = f"{groups[2]}-{_month(groups[1])}-{int(groups[0]):02}"
    elif kind == "month":
        value = f"{groups[1]}-{_month(groups[0])}"
    return Cue(kind, value, first, last, tuple(_number(group) for group in groups if kind not in _NO_NUMBERS))


_NO_NUMBERS = ("quote", "date", "month")


def _month(name: str) -> str:
    return f"{_MONTHS.index(name) + 1:02}"


def _number(text: str) -> str:
    plain = _NUMBER_WORDS.get(text, text.replace(",", ""))
    return "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in plain)


_SUFFIXES = (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("s", ""))
_SAME = (
    "age old older oldest young younger youngest",
    "weight heavy heavier heaviest light lighter lightest weigh",
    "date day when recent recently latest earliest newest time",
    "year when old",
    "cost price expensive cheap cheapest cheaper eur euro cent amount",
    "name who called named",
    "length long longest longer short shortest",
    "height tall taller tallest",
    "number no num",
    "id identifier number",
    "country nationality nation",
    "description describe details",
    "kind type",
    "group category",
    "colour color",
    "phone telephone cell mobile",
    "speed fast fastest slow slowest",
    "surname family last",
    "first given",
    "population people inhabitant",
    "salary earn pay",
)
_MEANINGS: dict[str, list[int]] = {}
for _place, _group in enumerate(_SAME):
    for _member in _group.split():
        _MEANINGS.setdefault(_member, []).append(_place)


def has_meaning(word: str) -> bool:
    """Return whether a word says what is compared: the oldest has an age, the best nothing."""
    return word in _MEANINGS


def stem(word: str) -> str:
    """Return a word without the ending of a plural."""
    if len(word) < 3 or word.endswith(("ss", "us", "is")):
        return word
    ending = next((pair for pair in _SUFFIXES if word.endswith(pair[0])), ("", ""))
    return word.removesuffix(ending[0]) + ending[1]


def _root(word: str) -> str:
    return re.sub(r"(?<=\w\w\w)(?:ing|ed|er|e)$", "", word)


@lru_cache(maxsize=65536)
def alike(one: str, other: str) -> float:
    """Return how much two words of a question and a name mean the same, from 0 to 1."""
    one, other = stem(one), stem(other)
    if one == other:
        return 1.0
    if one in _MEANINGS and other in _MEANINGS and set(_MEANINGS[one]) & set(_MEANINGS[other]):
        return 0.7
    if len(one) > 3 and _root(one) == _root(other):
        return 0.8
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    short, long = sorted((len(one), len(other)))
    return 0.8 if shared >= 4 and shared >= short - 2 and long - shared <= 4 else 0.0


_SHORT = {
    "fname": ("first", "name"),
    "lname": ("last", "name"),
    "firstname": ("first", "name"),
    "lastname": ("last", "name"),
    "no": ("number",),
    "num": ("number",),
    "desc": ("description",),
    "eur": ("euro",),
    "pct": ("percent",),
    "qty": ("quantity",),
    "sex": ("gender",),
}
"""How names shorten words."""


@lru_cache(maxsize=4096)
def name_words(name: str) -> tuple[str, ...]:
    """Return the words of which a table's or column's name is made, short forms written out."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\D)(?=\d)", " ", name)
    return tuple(word for part in re.findall(r"[^\W_]+", fold(parted)) for word in _SHORT.get(part, (part,)))
