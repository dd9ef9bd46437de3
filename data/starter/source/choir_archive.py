"""A town choir's librarian knows what was sung where by whom, and who still has not brought the sheet music back."""

import random
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

Row = tuple[Any, ...]

VOICES: list[Row] = [
    ("S1", "first soprano", 1),
    ("S2", "second soprano", 1),
    ("A1", "first alto", 2),
    ("A2", "second alto", 2),
    ("T", "tenor", 3),
    ("B1", "baritone", 4),
    ("B2", "bass", 4),
    ("D", "descant", None),  # no one sings it any more
]
VOICE_WEIGHTS = {"S1": 19, "S2": 14, "A1": 20, "A2": 12, "T": 9, "B1": 12, "B2": 8}
HIGH = ("S1", "S2", "A1", "A2")

WOMEN = (
    "Agnès Berthe Clothilde Delphine Edith Fabienne Gisèle Hortense Irina Joséphine Karen Lucienne Maïté Nora Odette "
    "Perrine Quitterie Rosalie Sabine Thérèse Ursule Viviane"
).split()
MEN = (
    "Alain Bernard Cyprien Didier Étienne Fabrice Gaspard Hubert Ivan Jérôme Kofi Loïc Marcel Noël Octave Pascal"
).split()
LAST = (
    "Aubry Bonnefoy Chastain Delmas Escoffier Fournel Garnier Hugon Izoard Jacquet Keller Lantier Mercadier Nollet "
    "Ozanne Pradel Quéméner Rousset Sauvage Teyssier Urbain Vialatte Weber Yver"
).split()
FIXED_NAMES = [
    ("Odette", "L'Hermitte", "A1"),
    ("Odette", "Lhermitte", "A2"),
    ("Jeanne", "Le Goff", "S1"),
    ("Jeanne", "Le Goff", "A1"),
    ("Jean", "Le Goff", "B1"),
    ("Marcel", "d'Arcy", "T"),
    ("Marcel", "Darcy", "B2"),
    ("Anne-Lise", "Rousset", "S2"),
    ("Anne Lise", "Rousset", "S2"),
    ("Pascal", "Delmas, fils", "B1"),
    ("Pascal", "Delmas", "B1"),
]

WORKS: list[Row] = [
    ("A-0003", "Lament of the Ferryman", "Ezra Thornby", 1894, "English", 4.5, 34, None),
    ("A-0007", "Missa Sancti Rochi", "Giacinto Ferrante", 1741, "Latin", 38.0, 40, None),
    ("A-0008", "Kyrie (from Missa Sancti Rochi)", "Giacinto Ferrante", 1741, "Latin", 6.5, 52, "A-0007"),
    ("A-0012", "Chanson des tisserands", None, None, "French", 3.0, 45, None),
    ("A-0013", "Chanson des tisserands, for men's voices", "arr. Léon Vasseur", 1931, "French", 3.2, 18, "A-0012"),
    ("A-0014", "Chanson des tisserands", "arr. Maud Ellery", 2006, "French", 3.4, 44, "A-0012"),
    ("A-0019", "Abendsegen", "Clemens Haidt", 1868, "German", 5.1, 38, None),
    ("A-0020", "Abendlied", "Clemens Haidt", 1871, "German", 3.6, 38, None),
    ("A-0021", "Abendlied", "Wilma Oster", 1958, "German", 4.2, 26, None),
    ("A-0030", "Nox et Umbra", "Léon Vasseur", 1926, "Latin", 12.5, 42, None),
    ("A-0031", "Psalm of the Salt Marsh", "Maud Ellery", 1999, "English", 9.0, 36, None),
    ("A-0033", "Three Tavern Songs", "Ezra Thornby", 1901, "English", 8.2, 30, None),
    ("A-0034", "Third Tavern Song, encore version", "arr. Maud Ellery", 2011, "English", 2.4, 50, "A-0033"),
    ("A-0041", "Vesperae in Festo", "Giacinto Ferrante", 1752, "Latin", 41.0, 37, None),
    ("A-0042", "Berceuse d'automne", "Léon Vasseur", 1919, "French", 4.0, 41, None),
    ("A-0050", "O Clavis", "Wilma Oster", 1963, "Latin", 5.8, 33, None),
    ("A-0051", "O clavis", "Petr Havránek", 1604, "Latin", 4.9, 28, None),
    ("A-0060", "Les moulins", "Léon Vasseur", 1933, "French", 6.0, 39, None),
    ("A-0061", "Winterreisepsalm", "Clemens Haidt", 1880, "German", 7.7, 24, None),
    ("A-0070", "Vocalise for Ten Voices", "Maud Ellery", 2003, None, 5.5, 14, None),
    ("A-0071", "Lullaby, Wordless", None, None, "", 2.9, 47, None),
    ("A-0080", "Gloria breve", "Petr Havránek", 1611, "Latin", 5.0, 31, None),
    ("A-0081", "The Harvesters' Round", None, None, "English", 1.8, 60, None),
    ("B-0001", "Requiem for a Lighthouse", "Ingrid Sølvik", 2014, "English", 33.0, 44, None),
    ("B-0002", "Hymn to the Fog", "Ingrid Sølvik", 2017, "English", 6.2, 43, None),
    ("B-0003", "Messe des petits pains", "Aimé Corbin", 1977, "French", 19.5, 35, None),
    ("B-0004", "Noël des bergers", None, None, "French", 3.3, 55, None),
    ("B-0005", "Noël des bergers, with descant", "arr. Aimé Corbin", 1982, "French", 3.9, 29, "B-0004"),
    ("B-0006", "Stella nova", "Wilma Oster", 1970, "Latin", None, 32, None),
    ("B-0010", "Cantata of the Bridges", "Aimé Corbin", 1988, "French", 27.0, 0, None),
    ("B-0011", "Weihnachtsruf", "Clemens Haidt", 1875, "German", 3.1, 40, None),
    ("B-0012", "Nine Riddles", "Maud Ellery", 2019, "English", 14.0, 38, None),
]
CHRISTMAS = ("B-0004", "B-0005", "B-0006", "B-0011", "A-0050")
UNSUNG = ("B-0010", "A-0061", "A-0013")
FAVOURITES = ("A-0042", "A-0003", "A-0012", "A-0081", "A-0019")

VENUES = ["Collégiale St-Roch", "Salle des Fêtes", "St Anne's Chapel", "Abbaye de l'Estelle", "Old Grain Hall"]
CONDUCTORS = [("Hélène Vauquelin", "2017-06-30"), ("Matthias Grohe", "2022-06-30"), ("Sorcha Ní Bhriain", "2025-12-31")]
MOTTOS = ["Light and Water", "Songs of Work", "An Evening in Three Languages", "Lovers' Quarrels", "Night Pieces"]


def _singers(rng: random.Random) -> list[Row]:
    drafts = list(FIXED_NAMES)
    while len(drafts) < 94:
        voice = rng.choices(list(VOICE_WEIGHTS), list(VOICE_WEIGHTS.values()))[0]
        drafts.append((rng.choice(WOMEN if voice in HIGH else MEN), rng.choice(LAST), voice))
    rng.shuffle(drafts)
    joined = sorted(date(1991, 9, 1) + timedelta(days=rng.randrange(12_000)) for _ in drafts)
    rows: list[Row] = []
    leaders: dict[str, int] = {}
    for position, ((first, last, voice), day) in enumerate(zip(drafts, joined, strict=True)):
        number = 7 + position * 2 + (position > 50)
        left = None
        if rng.random() < 0.36:
            quit_on = max(day + timedelta(days=rng.randint(200, 3_000)), date(2012, 6, 1))
            quit_on += timedelta(days=rng.randrange(2_200))
            left = quit_on.isoformat() if quit_on < date(2024, 11, 1) else None
        plain = unicodedata.normalize("NFKD", f"{first}.{last}".lower()).encode("ascii", "ignore").decode()
        plain = "".join(letter for letter in plain if letter.isalpha() or letter == ".")
        draw = rng.random()
        mail = None if draw < 0.2 else "" if draw < 0.27 else f"{plain}@estelle.example"
        leader = leaders.get(voice)
        if leader is None:
            leaders[voice] = number
        elif rng.random() < 0.06:
            leader, leaders[voice] = leader, number  # from now on the newcomer leads
        elif rng.random() < 0.1:
            leader = None
        rows.append((number, first, last, voice, day.isoformat(), left, mail, leader))
    return rows


def _concerts(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for year in range(2012, 2025):
        plans = [(3, 28), (6, 20), (10, 20), (12, 18)]
        if year == 2020:
            plans = plans[:1]
        elif year == 2021:
            plans = plans[2:]
        if year % 3 == 0:
            plans.insert(1, (5, 25))
        for month, last in plans:
            day = date(year, month, rng.randint(last - 14, last))
            venue = rng.choices(VENUES, weights=[16, 11, 7, 5, 4])[0]
            conductor = next(name for name, until in CONDUCTORS if day.isoformat() <= until)
            if rng.random() < 0.06:
                conductor = "Étienne Keller"  # stood in
            motto = (
                "Christmas by Candlelight"
                if month == 12
                else rng.choices([*MOTTOS, "", None], weights=[4] * 5 + [2, 12])[0]
            )
            audience = None if rng.random() < 0.14 else rng.randint(62, 214) + (95 if month == 12 else 0)
            money = None if audience is None and rng.random() < 0.5 else round(rng.randint(18_000, 129_000) / 100, 2)
            rows.append((len(rows) + 1, day.isoformat(), motto, venue, conductor, audience, money))
    return rows


def _programmes(rng: random.Random, concerts: list[Row], people: list[Row]) -> list[Row]:
    rows: list[Row] = []
    for concert_id, held_on, *_rest in concerts:
        year, month = int(held_on[:4]), held_on[5:7]
        pool = [work for work in WORKS if work[0] not in UNSUNG and (work[3] or 0) < year]
        pool = [work for work in pool if month == "12" or work[0] not in CHRISTMAS]
        weights = [4 if work[0] in FAVOURITES or (month == "12" and work[0] in CHRISTMAS) else 2 for work in pool]
        weights = [weight * (0.3 if (work[5] or 0) > 25 else 1) for weight, work in zip(weights, pool, strict=True)]
        chosen: list[str] = []
        for _ in range(rng.randint(6, 12)):
            mark = rng.choices(pool, weights)[0][0]
            if mark not in chosen:
                chosen.append(mark)
        chosen.append(chosen[0] if rng.random() < 0.12 else "A-0081" if "A-0081" not in chosen else chosen[-1])
        if chosen[-1] == chosen[-2]:
            chosen.pop()
        free = [person for person in people if person[4] <= held_on and (person[5] or "9") > held_on]
        stars = [person for person in free if person[0] % 9 in (2, 5)]
        for place, mark in enumerate(chosen, start=1):
            soloist = None
            if rng.random() < 0.27 and stars:
                soloist = rng.choice(stars[:9])[0]
            rows.append((concert_id, place, mark, soloist))
    return rows


def _lineup(rng: random.Random, concerts: list[Row], people: list[Row], programme: list[Row]) -> list[Row]:
    rows: list[Row] = []
    for concert_id, held_on, *_rest in concerts:
        needed = {row[3] for row in programme if row[0] == concert_id}
        for person in people:
            if person[4] > held_on or (person[5] is not None and person[5] <= held_on):
                continue
            eager = 0.0 if person[0] % 31 == 4 else 0.45 + (person[0] % 7) / 13
            if person[0] in needed or rng.random() < eager:
                rows.append((concert_id, person[0]))
    return rows


def _loans(rng: random.Random, people: list[Row]) -> list[Row]:
    drafts: list[Row] = []
    lendable = [work for work in WORKS if work[6] > 0 and work[0] not in ("A-0071", "A-0051")]
    for _ in range(930):
        day = date(2016, 1, 8) + timedelta(days=int(3_230 * rng.random()))
        free = [p for p in people if p[4] <= day.isoformat() and (p[5] or "9") > day.isoformat()]
        person = rng.choice(free[:12]) if rng.random() < 0.25 else rng.choice(free)
        if person[0] % 31 == 4:
            continue  # sings by heart
        work = rng.choice(lendable)
        due = day + timedelta(days=rng.choice((28, 28, 28, 56, 84)))
        back: date | None = day + timedelta(days=rng.randint(1, 30) if rng.random() < 0.6 else rng.randint(20, 240))
        chance = 0.03 if day < date(2023, 6, 1) else 0.15
        if back is None or back > date(2024, 12, 20) or rng.random() < chance:
            back = None
        state = None
        if back is not None and rng.random() < 0.3:
            state = rng.choice(["pencil marks", "coffee stain", "torn", "cover missing", "", "Torn", "as new"])
        copy = f"{rng.randint(1, work[6]):03d}"
        drafts.append((day, work[0], copy, person[0], due, back, state))
    drafts.sort(key=lambda draft: (draft[0], draft[1], draft[2], draft[3]))
    rows: list[Row] = []
    out: dict[tuple[str, str], date | None] = {}
    for day, mark, copy, person, due, back, state in drafts:
        if (mark, copy) in out and (out[mark, copy] is None or out[mark, copy] >= day):
            continue  # that copy is still away
        out[mark, copy] = back
        returned = None if back is None else back.isoformat()
        rows.append((len(rows) + 1, mark, copy, person, day.isoformat(), due.isoformat(), returned, state))
    return rows


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    yield "voice_group", VOICES
    people = _singers(rng)
    yield "singer", people
    yield "work", WORKS
    concerts = _concerts(rng)
    yield "concert", concerts
    programme = _programmes(rng, concerts, people)
    yield "programme", programme
    yield "lineup", _lineup(rng, concerts, people, programme)
    yield "loan", _loans(rng, people)
