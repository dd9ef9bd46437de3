"""Once a month a neighbourhood mends what people bring along and notes who saved what with which parts."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

Row = tuple[Any, ...]

HALLS = ["Community House Lindeneck", "St. Jude's Parish Hall", "Library, ground floor"]
MOTTOS = ["toasters", "bike spring", "mending circle", "toy hospital", "lamps & light", "bring a chair"]

FIXED_VOLUNTEERS = [
    ("Gerda Wimmer", "electrics"),
    ("Gerd Wimmer", "electrics"),
    ("Gerda Wimmers", "sewing"),
    ("Ali Rahimi", "electronics"),
    ("Ali Rahimi", "bicycles"),
    ("Niamh O'Shea", "sewing"),
    ("Norbert Kühn", "wood"),
    ("Norbert Kuehn", None),
    ("Odile d'Hondt", "electrics"),
    ("Cosmin Pană", "bicycles"),
    ("Thuy Le", "electronics"),
    ("Erwin Stahl", "electrics"),
]
MORE_VOLUNTEERS = [
    "Pia Rosenow",
    "Selma Aktaş",
    "Heinz Uhl",
    "Ewa Malik",
    "Jonas Fricke",
    "Ruben Vos",
    "Ilse Tabor",
    "Mauro Sereni",
    "Britt Halvors",
    "Karim Nasser",
    "Dagmar Zoll",
    "Lutz Ehmke",
    "Vera Ilić",
    "Uwe Petersdorf",
    "Amara Diallo",
    "Fritz Jung, jr.",
    "Fritz Jung",
    "Mei Tan",
]
CRAFTS = ["electrics", "electronics", "sewing", "bicycles", "wood", None, ""]
CRAFT_WEIGHTS = [26, 14, 16, 16, 10, 14, 5]

FIRST = (
    "Anja Björn Carla Deniz Elke Frank Gül Hanna Igor Jutta Klaus Lena Mirko Nele Olaf Paula Ralf Sina Timo Ute "
    "Wiebke Yusuf Zita Marlies Hans-Peter Dörte Aylin Kurt"
).split()
LAST = (
    "Abel Brehm Çelik Dörr Engel Falk Gross Groß Hübner Ihde Jansen Krol Lorenz Moser Nowak Otte Pohl Quast Richter "
    "Szabo Thiel Unger Vogt Weiß Weiss Yılmaz Zander O'Brien"
).split()

THINGS: dict[str, list[tuple[str, float]]] = {
    "electrical": [
        ("toaster", 1.4),
        ("vacuum cleaner", 5.2),
        ("radio", 1.9),
        ("desk lamp", 1.1),
        ("coffee machine", 4.0),
        ("hand mixer", 1.0),
        ("kettle", 0.9),
        ("iron", 1.3),
        ("record player", 6.1),
        ("hair dryer", 0.6),
    ],
    "textile": [("trousers", 0.5), ("jacket", 1.0), ("rucksack", 0.9), ("curtain", 1.6), ("jumper", 0.4)],
    "bicycle": [("bicycle", 14.5), ("child's bicycle", 8.4), ("trailer", 11.2), ("unicycle", 5.9)],
    "furniture": [("chair", 5.1), ("stool", 3.3), ("drawer", 2.8)],
    "toy": [("teddy bear", 0.4), ("model train", 0.7), ("music box", 0.3), ("doll", 0.5)],
    "other": [("umbrella", 0.5), ("suitcase", 3.9), ("wall clock", 1.2), ("garden shears", 0.9)],
}
GROUP_WEIGHTS = {"electrical": 48, "textile": 18, "bicycle": 15, "furniture": 7, "toy": 7, "other": 8}
BRANDS = ["Braun", "AEG", "Severin", "Krups", "krups", "Rowenta", "Bosch", "Philips", "Miele", "no name", ""]
CRAFT_GROUP = {
    "electrics": ("electrical",),
    "electronics": ("electrical", "toy"),
    "sewing": ("textile", "toy"),
    "bicycles": ("bicycle",),
    "wood": ("furniture", "other"),
}

PARTS: list[Row] = [
    ("0007", "fuse 2 A", 0.35, 64),
    ("0008", "fuse 10 A", 0.4, 51),
    ("0012", "mains cable, 2 m", 3.95, 9),
    ("0013", "mains cable 3 m", 4.8, 4),
    ("0021", "switch, rocker", 1.75, 14),
    ("0033", "heating element", 7.9, 0),
    ("0040", "carbon brushes", 4.25, 6),
    ("0101", 'inner tube 28"', 5.5, 11),
    ("0102", 'inner tube 26"', 5.5, 3),
    ("0110", "brake shoe", 2.6, 18),
    ("0111", "chain link", 0.9, 0),
    ("0200", "zip, 18 cm", 2.1, 12),
    ("0201", "zip, 60 cm", 3.4, 7),
    ("0203", "button", 0.15, 240),
    ("0204", "patch", 0.8, 33),
    ("0300", "wood glue", None, 5),
    ("0301", "screw", 0.05, 400),
    ("0302", "dowel", 0.1, 120),
    ("0400", "clockwork spring", 6.75, 2),
    ("0401", "doll's eye", 1.2, 8),
]
PART_CHOICE = {
    "electrical": ["0007", "0007", "0008", "0012", "0012", "0013", "0021", "0021", "0033", "0040", "0301"],
    "textile": ["0200", "0200", "0201", "0203", "0203", "0204"],
    "bicycle": ["0101", "0101", "0102", "0110", "0110", "0111", "0301"],
    "furniture": ["0300", "0300", "0301", "0302"],
    "toy": ["0203", "0300", "0301", "0007"],
    "other": ["0301", "0204", "0300"],
}
MANY = {"0203": (1, 2, 4), "0301": (2, 4, 6), "0302": (2, 4), "0110": (1, 2), "0007": (1, 1, 2)}

NOTES = [
    "screws with odd heads",
    "owner's manual missing",
    "cable chewed by rabbit",
    "somebody had tried before us",
    "moths",
    "needs a part, try again",
    "",
]


def _days(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for year in range(2020, 2025):
        for month in range(1, 13):
            closed = (year == 2020 and month in (4, 5, 6, 11, 12)) or (year == 2021 and month in (1, 2, 3, 4))
            if closed or month == 8:
                continue
            first = date(year, month, 1)
            saturday = first + timedelta(days=(5 - first.weekday()) % 7 + 7)
            if rng.random() < 0.08:
                saturday += timedelta(days=7)
            motto = rng.choices([*MOTTOS, None, ""], weights=[3, 2, 3, 2, 2, 1, 18, 2])[0]
            jar = None if rng.random() < 0.12 else rng.randint(1_850, 16_900) / 100
            hall = rng.choices(HALLS, weights=[24, 11, 6])[0]
            rows.append((len(rows) + 1, saturday.isoformat(), hall, motto, jar))
    rows.append((len(rows) + 1, "2025-01-11", HALLS[0], "new year's mending", None))  # planned, not yet held
    return rows


def _volunteers(rng: random.Random) -> list[Row]:
    people = list(FIXED_VOLUNTEERS)
    people += [(name, rng.choices(CRAFTS, CRAFT_WEIGHTS)[0]) for name in MORE_VOLUNTEERS]
    rng.shuffle(people)
    started = sorted(date(2016, 9, 1) + timedelta(days=int(2_700 * rng.random() ** 1.3)) for _ in people)
    rows: list[Row] = []
    for position, ((name, craft), since) in enumerate(zip(people, started, strict=True)):
        stopped = None
        if position not in (0, 2) and rng.random() < 0.28:
            stopped = max(date(2021, 6, 1), since + timedelta(days=90)) + timedelta(days=rng.randrange(1_000))
        draw = rng.random()
        phone = (
            None if draw < 0.15 else "" if draw < 0.24 else f"0{rng.randint(151, 179)} {rng.randint(0, 9_999_999):07d}"
        )
        teacher = None
        if rows and rng.random() < 0.55:
            teacher = rng.choice(rows[:4])[0] if rng.random() < 0.5 else rng.choice(rows)[0]
        gone = None if stopped is None or stopped > date(2024, 11, 30) else stopped.isoformat()
        rows.append((position + 1, name, craft, since.isoformat(), gone, phone, teacher))
    return rows


def _attendance(rng: random.Random, days: list[Row], people: list[Row]) -> list[Row]:
    rows: list[Row] = []
    for day_no, held_on, *_rest in days[:-1]:
        for person in people:
            if person[3] > held_on or (person[4] is not None and person[4] <= held_on) or person[0] == 29:
                continue  # 29 has signed up but never turned up
            if rng.random() < (0.72 if person[0] <= 6 else 0.38):
                if not person[2]:
                    job = rng.choice(("desk", "kitchen", "kitchen"))
                else:
                    job = rng.choices(("bench", "desk", "kitchen"), weights=(86, 8, 6))[0]
                rows.append((day_no, person[0], job))
    return rows


def _visitors(rng: random.Random) -> list[Row]:
    names = ["Marie Groß", "Marie Gross", "Jan Krol", "Jan Król", "Ute Engel", "Ute Engel", "Kurt Weiß, Optik Weiß"]
    while len(names) < 330:
        names.append(f"{rng.choice(FIRST)} {rng.choice(LAST)}")
    rng.shuffle(names)
    rows: list[Row] = []
    for position, name in enumerate(names):
        postcode = rng.choices(
            ["04177", "04179", "04229", "06108", "01067", "10437", "", None], weights=[40, 28, 14, 5, 3, 2, 3, 6]
        )[0]
        born = None if rng.random() < 0.2 else rng.randint(1938, 2004)
        rows.append((position + 1, name, postcode, born, int(rng.random() < 0.37)))
    return rows


def _items(rng: random.Random, days: list[Row], visitors: list[Row]) -> list[Row]:
    rows: list[Row] = []
    for day_no, held_on, *_rest in days[:-1]:
        known = visitors[: 40 + day_no * 6]
        for _ in range(rng.randint(9, 27) + day_no // 5):
            group = rng.choices(list(GROUP_WEIGHTS), list(GROUP_WEIGHTS.values()))[0]
            thing, usual = rng.choice(THINGS[group])
            visitor = rng.choice(known[-30:]) if rng.random() < 0.6 else rng.choice(known)
            brand = None
            if group in ("electrical", "toy") or rng.random() < 0.1:
                brand = rng.choices([*BRANDS, None], weights=[12, 8, 9, 7, 2, 6, 9, 8, 6, 5, 3, 14])[0]
            weight = None if rng.random() < 0.1 else round(usual * rng.randint(65, 145) / 100, 2)
            bought = None
            if rng.random() < 0.62:
                bought = int(held_on[:4]) - int(1 + 28 * rng.random() ** 2)
            rows.append((len(rows) + 1, day_no, visitor[0], group, thing, brand, weight, bought))
    return rows


def _repairs(
    rng: random.Random, days: list[Row], people: list[Row], present: list[Row], items: list[Row]
) -> tuple[list[Row], list[Row], list[Row]]:
    crafts = {person[0]: person[2] for person in people}
    benches: dict[int, list[int]] = {}
    for day_no, person, job in present:
        if job == "bench":
            benches.setdefault(day_no, []).append(person)
    drafts: list[tuple[int, Row]] = []
    for item in items:
        if rng.random() < 0.06:
            continue  # the queue was too long that day
        drafts.append((item[1], item))
    repairs: list[Row] = []
    hands: list[Row] = []
    used: list[Row] = []
    last_day = days[-2][0]
    for number in range(1, last_day + 1):
        for day_no, item in [draft for draft in drafts if draft[0] == number]:
            group = item[3]
            good = {"electrical": 52, "textile": 74, "bicycle": 70, "furniture": 60, "toy": 55, "other": 44}[group]
            again = 12 if day_no < last_day else 0
            outcome = rng.choices(["fixed", "half", "hopeless", "come back"], weights=[good, 12, 92 - good, again])[0]
            repair_id = len(repairs) + 1
            minutes = None if rng.random() < 0.09 else rng.choice((10, 15, 20, 25, 30, 30, 40, 45, 60, 75, 90, 120))
            gift = None
            if rng.random() < (0.55 if outcome == "fixed" else 0.16):
                gift = rng.choice((2.0, 3.0, 5.0, 5.0, 5.0, 10.0, 10.0, 20.0, 2.5, 7.5, 1.2, 4.7))
            note = rng.choice(NOTES) if rng.random() < 0.14 else None
            repairs.append((repair_id, item[0], day_no, outcome, minutes, gift, note))
            there = benches.get(day_no, [])
            able = [person for person in there if group in CRAFT_GROUP.get(crafts[person] or "", ())] or there
            count = min(len(able), rng.choices((0, 1, 2, 3), weights=(4, 68, 24, 4))[0])
            hands += [(repair_id, person) for person in sorted(rng.sample(able, count))]
            if outcome != "hopeless" and rng.random() < 0.52:
                for code in sorted({rng.choice(PART_CHOICE[group]) for _ in range(rng.choice((1, 1, 1, 2, 3)))}):
                    used.append((repair_id, code, rng.choice(MANY.get(code, (1,)))))
            if outcome == "come back" and rng.random() < 0.7:
                drafts.append((min(last_day, day_no + rng.choice((1, 1, 1, 2))), item))
    return repairs, hands, used


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    days = _days(rng)
    yield "cafe_day", days
    people = _volunteers(rng)
    yield "volunteer", people
    present = _attendance(rng, days, people)
    yield "attendance", present
    visitors = _visitors(rng)
    yield "visitor", visitors
    items = _items(rng, days, visitors)
    yield "item", items
    repairs, hands, used = _repairs(rng, days, people, present, items)
    yield "repair", repairs
    yield "repair_hand", hands
    yield "part", PARTS
    yield "part_used", used
