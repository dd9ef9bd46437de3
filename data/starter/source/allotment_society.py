"""An allotment society lets plots to its members, notes what they harvest and fines them for weeds."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

Row = tuple[Any, ...]

SITES: list[Row] = [
    ("NW", "Noorderwal", "1956-04-12", "canal"),
    ("KG", "Kleine Gaarde", "1971-03-20", "well"),
    ("SP", "St Piran's Bleach", "1983-05-01", "mains"),
    ("OV", "Over 't Veen, East", "2004-09-18", None),
    ("HZ", "Hazelhof", "2024-10-05", "rain tanks"),  # bought, not yet measured out: no plots
]
PLOTS_PER_SITE = {"NW": 34, "KG": 26, "SP": 22, "OV": 14}

FIXED_NAMES = [
    ("Anne", "Bakker"),
    ("Ann", "Bakker"),
    ("Anna", "Bakker"),
    ("Anne", "Backer"),
    ("Jan", "de Wit"),
    ("Jan", "de Wit"),
    ("Jan", "De Witt"),
    ("Siobhán", "O'Dowd"),
    ("Sioban", "O'Dowd"),
    ("Luca", "D'Aversa"),
    ("Chidi", "Okonjo, Jr."),
    ("Chidi", "Okonjo"),
    ("Zofia", "Wróbel"),
    ("Zofia", "Wrobel"),
    ("Mehmet", "Yıldırım"),
    ("Fatma", "Yildirim"),
]
FIRST = [
    "Marijke",
    "Tobias",
    "Ingrid",
    "Kofi",
    "Leila",
    "Pavel",
    "Renske",
    "Duarte",
    "Aoife",
    "Hendrik",
    "Nadia",
    "Tomasz",
    "Beatriz",
    "Sven",
    "Yasmin",
    "Ludo",
    "Mirela",
    "Oskar",
    "Greet",
    "Ibrahim",
    "Katrin",
    "Dorus",
]
LAST = [
    "van Loon",
    "Haverkamp",
    "Lindqvist",
    "Mensah",
    "Tahiri",
    "Dvorsky",
    "Vermeulen",
    "Figueira",
    "Brannigan",
    "Oosterling",
    "van der Zee",
    "Kowalik",
    "Esteves",
    "Holmgren",
    "Benali",
    "Peeters",
    "Popa-Ionescu",
    "Brandt",
    "Claes",
    "Sarr",
    "van Loon-Claes",
    "Quist",
]

CROPS: list[Row] = [
    ("potato", "nightshade", 0, 4),
    ("tomato", "nightshade", 0, 3),
    ("aubergine", "nightshade", 0, 2),
    ("chilli", "nightshade", 0, 2),
    ("broad bean", "legume", 0, 2),
    ("runner bean", "legume", 0, 5),
    ("mangetout", "legume", 0, 3),
    ("kale", "brassica", 0, 5),
    ("Brussels sprout", "brassica", 0, 4),
    ("kohlrabi", "brassica", 0, 4),
    ("radish", "brassica", 0, 3),
    ("rocket", "brassica", 0, 4),
    ("leek", "allium", 0, 3),
    ("garlic", "allium", 0, 10),
    ("shallot", "allium", 0, 3),
    ("courgette", "gourd", 0, 5),
    ("pumpkin", "gourd", 0, 5),
    ("beetroot", "amaranth", 0, 4),
    ("chard", "amaranth", 0, 4),
    ("rhubarb", "knotweed", 1, None),
    ("blackcurrant", "gooseberry", 1, None),
    ("raspberry", "rose", 1, None),
    ("strawberry", "rose", 1, None),
    ("Jerusalem artichoke", "daisy", 1, 3),
    ("lamb's lettuce", None, 0, 8),
    ("sorrel, broad-leaved", "knotweed", 1, None),
    ("oca", None, 0, 4),
]
CROP_WEIGHTS = [30, 26, 4, 6, 14, 12, 9, 14, 7, 6, 12, 5, 13, 11, 7, 24, 15, 14, 6, 10, 8, 11, 13, 3, 5, 1, 0]
HEAVY = {
    "potato": 4.0,
    "pumpkin": 3.5,
    "courgette": 2.5,
    "tomato": 2.0,
    "Jerusalem artichoke": 2.2,
    "beetroot": 1.4,
}

REMARKS = [
    "bindweed along the path",
    "shed door hangs loose",
    "compost heap over the line, again",
    "hedge too high",
    "neighbour's brambles",
    "nettles, docks and couch grass",
    "bonfire ashes",
    "not worked since spring",
    "tenant's hens",
    "glass on the path",
]


def _iso(day: date) -> str:
    return day.isoformat()


def _day(rng: random.Random, first: date, last: date) -> date:
    return first + timedelta(days=rng.randrange((last - first).days + 1))


def _gardeners(rng: random.Random) -> list[Row]:
    names = list(FIXED_NAMES)
    while len(names) < 128:
        names.append((rng.choice(FIRST), rng.choice(LAST)))
    rng.shuffle(names)
    joined = sorted(
        _day(rng, date(1988, 3, 1), date(2010, 12, 31))
        if rng.random() < 0.4
        else _day(rng, date(2011, 1, 1), date(2024, 11, 30))
        for _ in names
    )
    people: list[Row] = []
    recruiters: list[int] = []
    for position, ((first, last), since) in enumerate(zip(names, joined, strict=True)):
        number = 101 + position + (position >= 60) * 3  # three numbers were never given out
        postcode = f"{rng.choice((417, 418, 418, 419, 420, 7312, 9026)):04d}{rng.randrange(10)}"
        draw = rng.random()
        phone = None if draw < 0.14 else ""
        if draw >= 0.21:
            phone = f"0{rng.randint(20, 79)} {rng.randint(0, 999_999):06d}"
        introducer = None
        if people and rng.random() < 0.58:
            # most newcomers come through the few members who always bring somebody
            repeated = recruiters and rng.random() < 0.7
            introducer = rng.choice(recruiters) if repeated else rng.choice(people)[0]
            recruiters.append(introducer)
        people.append((number, first, last, _iso(since), postcode, phone, introducer))
    return people


def _plots(rng: random.Random) -> list[Row]:
    plots: list[Row] = []
    for site, count in PLOTS_PER_SITE.items():
        usual = {"NW": "clay", "KG": "loam", "SP": "sand", "OV": "peat"}[site]
        for number in range(1, count + 1):
            draw = rng.random()
            if draw < 0.08:
                soil = None
            elif draw < 0.12:
                soil = ""
            elif draw < 0.75:
                soil = usual
            else:
                soil = rng.choice(["clay", "loam", "sand", "sandy loam", "Clay"])
            area = rng.randint(110, 380) / 2 if rng.random() < 0.8 else rng.randint(380, 560) / 2
            shed = int(rng.random() < {"NW": 0.6, "KG": 0.45, "SP": 0.35, "OV": 0.2}[site])
            plots.append((len(plots) + 1, site, f"{number:03d}", area, soil, shed))
    return plots


def _leases(rng: random.Random, plots: list[Row], people: list[Row]) -> list[Row]:
    end = date(2024, 12, 15)
    drafts: list[tuple[date, int, int, date | None, int]] = []
    # about one member in ten has never got beyond the waiting list
    keen = [person for person in people if rng.random() < 0.9]
    for plot_id, _site, _number, area, _soil, _shed in plots:
        if rng.random() < 0.04:
            continue  # too wet, never let
        start = _day(rng, date(2004, 11, 1), date(2013, 3, 31))
        while True:
            candidates = [person[0] for person in keen if person[3] <= _iso(start)]
            tenant = rng.choice(candidates[-25:] if rng.random() < 0.7 else candidates)
            stop = start + timedelta(days=rng.randint(250, 2900))
            cents = round(area * (31 + start.year - 2004 + rng.randint(-3, 3)) / 50) * 50
            still_there = stop > end
            drafts.append((start, plot_id, tenant, None if still_there else stop, cents))
            start = stop + timedelta(days=rng.choice((1, 1, 1, 14, 30, rng.randint(31, 500))))
            if still_there or start > date(2024, 10, 31) or (stop.year >= 2021 and rng.random() < 0.12):
                break
    drafts.sort(key=lambda draft: (draft[0], draft[1]))
    return [
        (5001 + position, plot_id, tenant, _iso(start), None if stop is None else _iso(stop), cents)
        for position, (start, plot_id, tenant, stop, cents) in enumerate(drafts)
    ]


def _plantings(rng: random.Random, leases: list[Row]) -> list[Row]:
    plantings: list[Row] = []
    worked: dict[int, list[Row]] = {}
    for lease in leases:
        worked.setdefault(lease[1], []).append(lease)
    for season in range(2019, 2025):
        summer = f"{season}-06-30"
        for plot_id in sorted(worked):
            let = any(row[3] <= summer and (row[4] is None or row[4] >= summer) for row in worked[plot_id])
            if not let or rng.random() < 0.3:
                continue
            chosen: list[int] = []
            for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 6))):
                crop = rng.choices(range(1, len(CROPS) + 1), weights=CROP_WEIGHTS)[0]
                if season < 2021 and CROPS[crop - 1][0] in ("chilli", "kohlrabi", "rocket"):
                    continue  # came into fashion later
                if crop not in chosen:
                    chosen.append(crop)
            for crop in chosen:
                weight = HEAVY.get(CROPS[crop - 1][0], 0.6)
                kilos = round(weight * (1 + 14 * rng.random() * rng.random()), 1)
                plantings.append((plot_id, crop, season, None if rng.random() < 0.17 else kilos))
    return plantings


def _inspections(rng: random.Random, plots: list[Row], people: list[Row]) -> list[Row]:
    rows: list[Row] = []
    committee = [people[index][0] for index in (3, 9, 14, 22, 31, 40)]
    skipped = {plot[0] for plot in plots if plot[0] % 19 == 7}  # behind the locked gate, never inspected
    for year in range(2018, 2025):
        for month in (5, 9):
            for site in PLOTS_PER_SITE:
                if rng.random() < 0.08:
                    continue  # rained off
                day = _day(rng, date(year, month, 2), date(year, month, 28))
                inspector = rng.choices(committee, weights=[9, 6, 5, 3, 2, 1])[0]
                for plot in plots:
                    if plot[1] != site or plot[0] in skipped or rng.random() > 0.4:
                        continue
                    grade = rng.choices("ABCD", weights=[8, 7, 4, 2 if month == 9 else 1])[0]
                    fine = None
                    if grade == "D" and rng.random() < 0.75:
                        fine = rng.choice((2500, 2500, 5000, 7500))
                    elif grade == "C" and rng.random() < 0.25:
                        fine = rng.choice((1000, 1500))
                    draw = rng.random()
                    remark = None
                    if grade in "CD" and draw < 0.8:
                        remark = rng.choice(REMARKS)
                    elif draw > 0.93:
                        remark = rng.choice(("", "well kept", "best on the row, as ever"))
                    rows.append((len(rows) + 1, plot[0], inspector, _iso(day), grade, fine, remark))
    return rows


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    yield "garden_site", SITES
    people = _gardeners(rng)
    yield "gardener", people
    plots = _plots(rng)
    yield "plot", plots
    leases = _leases(rng, plots, people)
    yield "lease", leases
    yield "crop", [(position + 1, *crop) for position, crop in enumerate(CROPS)]
    yield "planting", _plantings(rng, leases)
    yield "inspection", _inspections(rng, plots, people)
