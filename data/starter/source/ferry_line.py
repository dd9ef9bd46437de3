"""A small ferry line keeps four ageing boats running between its islands and writes down who paid and what was late."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

Row = tuple[Any, ...]

HARBOURS: list[Row] = [
    ("KEL", "Kelsund", None, 6.4, 1),
    ("ALD", "Aldrey", "Aldrey", 4.1, 1),
    ("IHO", "Inner Holm", "The Holms", 3.2, 0),
    ("OHO", "Outer Holm", "The Holms", None, 0),
    ("BRA", "St Brannoc's", "Brannoc", 3.8, 1),
    ("BRW", "Brannoc, West Jetty", "Brannoc", 2.6, 0),
    ("SKE", "Skerravoe", None, 5.5, 1),
    ("NUN", "Nun's Haven", "Little Nun", 1.9, 0),  # too shallow for any boat of ours
]

VESSELS: list[Row] = [
    (1, "Lady Aud", 1968, 96, 0, "MKQZ", "2023-04-28", 4),
    (2, "Tern", 1979, 120, 12, "MLTB", None, None),
    (3, "Terne", 1984, 88, 8, None, None, None),
    (4, "Lady Aude", 2022, 148, 20, "2HAU7", None, None),
    (5, "Skua II", 1991, 60, 0, "", None, None),
    (6, "Skua", 1957, 44, 0, None, "2022-10-31", 5),
    (7, "Elder Duck", 2009, 180, 26, "2EDK1", None, None),
    (8, "Nan o' the Sound", 2024, 150, 22, "2NAN4", None, None),  # delivered, not yet in service
]

ROUTES: list[Row] = [
    ("011", "KEL", "ALD", 7.2, 45, 0),
    ("012", "ALD", "KEL", 7.2, 45, 0),
    ("021", "KEL", "BRA", 11.6, 70, 0),
    ("022", "BRA", "KEL", 11.6, 70, 0),
    ("031", "ALD", "IHO", 3.4, 25, 0),
    ("041", "IHO", "OHO", 1.8, 15, 1),
    ("051", "SKE", "BRW", 5.1, 35, 0),
    ("060", "KEL", "SKE", 16.3, 95, 1),
    ("070", "ALD", "BRA", 8.8, 55, 1),  # in the timetable every year, never yet sailed
]
ROUTE_WEIGHTS = {"011": 30, "012": 27, "021": 17, "022": 15, "031": 12, "041": 8, "051": 9, "060": 5}
ROUTE_BOATS = {
    "011": (2, 4, 7),
    "012": (2, 4, 7),
    "021": (4, 7, 7, 1),
    "022": (4, 7, 7, 1),
    "031": (3, 5, 1),
    "041": (5,),
    "051": (3, 3, 2, 1),
    "060": (7, 4),
}

FARE_CLASSES: list[Row] = [
    ("AD", "adult", 0),
    ("CH", "child", 0),
    ("IS", "islander", 0),
    ("BI", "bicycle", 0),
    ("CAR", "car", 1),
    ("VAN", "van or camper", 1),
    ("DOG", "dog", 0),
    ("HRS", "horse, led", 0),
]
BASE_CENTS = {"AD": 95, "CH": 45, "IS": 38, "BI": 30, "CAR": 260, "VAN": 395, "DOG": 15, "HRS": 190}
PRICE_ROUNDS = (("2022-10-01", 1.0), ("2023-10-01", 1.06), ("2024-06-01", 1.13))

REASONS = ["gale", "fog", "engine", "no master", "swell at the jetty", "ice on the ramp", ""]
REASON_WEIGHTS = [30, 12, 11, 6, 9, 2, 4]

NAMES = [
    ("Isla", "Rendall"),
    ("Isla", "Rendal"),
    ("Magnus", "Harcus"),
    ("Magnus", "Harcus"),
    ("Freyja", "O'Hanlon"),
    ("Torquil", "MacVane"),
    ("Torquil", "Mac Vane"),
    ("Eilidh", "Sclater"),
    ("Jon", "Isbister, sr."),
    ("Jon", "Isbister"),
    ("Wanda", "Grzyb"),
    ("Petros", "D'Amico"),
    ("Sunniva", "Leask"),
    ("Rory", "Heddle"),
    ("Ines", "Quintal"),
    ("Callum", "Heddle"),
    ("Birgit", "Aas"),
    ("Davy", "Flett"),
    ("David", "Flett"),
    ("Morag", "Drever"),
    ("Kwame", "Asante"),
    ("Thora", "Leask"),
    ("Anders", "Skaill"),
    ("Oluwaseun", "Adeyi"),
    ("Merran", "Groat"),
    ("Finlay", "Groat"),
    ("Hugo", "Saint-Yves"),
    ("Ruth", "Halcro"),
]


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _fares() -> list[Row]:
    rows: list[Row] = []
    for route, _start, _end, miles, _minutes, _summer in ROUTES:
        for code, _label, vehicle in FARE_CLASSES:
            if vehicle and route in ("031", "041"):
                continue  # foot passengers only
            for since, factor in PRICE_ROUNDS:
                if code == "DOG" and since > "2023-12-31":
                    continue  # the dog's fare was left alone the last time
                cents = round(BASE_CENTS[code] * (2.2 + miles) * factor / 10) * 10
                rows.append((route, code, since, cents))
    return rows


def _price(fares: list[Row], route: str, code: str, day: str) -> int:
    return max((row[2], row[3]) for row in fares if row[0] == route and row[1] == code and row[2] <= day)[1]


def _crew(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    hired = sorted(date(1996, 2, 1) + timedelta(days=rng.randrange(9_900)) for _ in NAMES)
    people = list(NAMES)
    rng.shuffle(people)
    for position, ((first, last), day) in enumerate(zip(people, hired, strict=True)):
        left = None
        if rng.random() < 0.22:
            left = (date(2023, 2, 1) + timedelta(days=rng.randrange(640))).isoformat()
            if left <= day.isoformat():
                left = None
        home = rng.choices(["KEL", "ALD", "BRA", "SKE", "IHO", None], weights=[30, 20, 16, 10, 4, 14])[0]
        licence = None if rng.random() < 0.3 else f"{rng.randrange(120, 9_700):05d}"
        rows.append((21 + position + (position > 11), first, last, day.isoformat(), left, home, licence))
    return rows


def _sailings(rng: random.Random) -> list[Row]:
    drafts: list[tuple[Any, ...]] = []
    day = date(2023, 1, 2)
    while day <= date(2024, 12, 29):
        summer = 5 <= day.month <= 9
        busy: set[int] = set()
        for _ in range(rng.choice((0, 1, 1, 2, 3) if summer else (0, 0, 1, 1, 2))):
            weights = {r: w for r, w in ROUTE_WEIGHTS.items() if summer or r not in ("041", "060")}
            route = rng.choices(list(weights), list(weights.values()))[0]
            boats = [boat for boat in ROUTE_BOATS[route] if boat not in busy]
            boats = [boat for boat in boats if boat != 1 or day <= date(2023, 4, 27)]
            if not boats:
                continue
            boat = rng.choice(boats)
            busy.add(boat)
            planned = datetime(day.year, day.month, day.day, rng.choice((7, 8, 9, 11, 13, 14, 16, 17, 18)))
            planned += timedelta(minutes=rng.choice((0, 0, 15, 30, 40)))
            rough = {12: 0.2, 1: 0.22, 2: 0.18, 11: 0.14, 3: 0.1}.get(day.month, 0.035)
            if rng.random() < rough * (1.7 if boat in (3, 5) else 1):
                reason = rng.choices(REASONS, REASON_WEIGHTS)[0] if rng.random() < 0.88 else None
                drafts.append((planned, route, boat, None, None, reason))
                continue
            draw = rng.random()
            late = 0 if draw < 0.42 else rng.randint(1, 9) if draw < 0.8 else rng.randint(10, 34)
            if draw > 0.96:
                late = rng.randint(45, 170)
            length = next(row[4] for row in ROUTES if row[0] == route)
            slow = rng.randint(-4, 7) + (rng.randint(5, 25) if rng.random() < 0.08 else 0)
            left = planned + timedelta(minutes=late)
            drafts.append((planned, route, boat, left, left + timedelta(minutes=length + slow), None))
        day += timedelta(days=1)
    drafts.sort(key=lambda draft: (draft[0], draft[1], draft[2]))
    return [
        (2001 + position, route, boat, _at(planned), left and _at(left), arrived and _at(arrived), reason)
        for position, (planned, route, boat, left, arrived, reason) in enumerate(drafts)
    ]


def _tickets(rng: random.Random, sailings: list[Row], fares: list[Row]) -> list[Row]:
    rows: list[Row] = []
    cars = {vessel[0]: vessel[4] for vessel in VESSELS}
    booking = 817
    for sailing_id, route, boat, planned, left, _arrived, _reason in sailings:
        summer = planned[5:7] in ("05", "06", "07", "08", "09")
        if route == "041" and rng.random() < 0.25:
            continue  # sailed empty
        for _ in range(rng.choice((1, 2, 2, 3, 4, 5) if summer else (0, 1, 1, 2, 2, 3))):
            booking += rng.choice((1, 1, 2, 5, 11))
            via = rng.choices(["web", "pier", "phone", "Web", None], weights=[46, 30, 12, 3, 7])[0]
            codes = rng.choices(["AD", "IS"], weights=[60, 34 if not summer else 18], k=rng.choice((1, 1, 2, 2, 3)))
            if "AD" in codes and rng.random() < 0.3:
                codes += ["CH"] * rng.choice((1, 1, 2, 3))
            if rng.random() < 0.13:
                codes.append("BI")
            if rng.random() < 0.1:
                codes.append("DOG")
            if cars[boat] and route not in ("031", "041") and rng.random() < 0.38:
                codes.append("VAN" if rng.random() < 0.16 else "CAR")
            generous = rng.random() < 0.03  # the purser's cousins
            for code in codes:
                cents = _price(fares, route, code, planned[:10])
                if generous:
                    cents = cents // 2
                refund = None
                if left is None:
                    refund = cents if rng.random() < 0.8 else None
                elif rng.random() < 0.012:
                    refund = max(1, cents // 2)
                rows.append((len(rows) + 1, f"{booking:06d}", sailing_id, code, cents, via, refund))
    return rows


def _duties(rng: random.Random, sailings: list[Row], crew: list[Row]) -> list[Row]:
    rows: list[Row] = []
    taken: dict[str, set[int]] = {}
    skills: dict[int, set[str]] = {}
    for member in crew:
        skills[member[0]] = set(rng.sample(("mate", "engineer", "deckhand", "purser"), k=rng.choice((1, 2, 2))))
        if member[6] is not None and rng.random() < 0.55:
            skills[member[0]].add("master")
    for sailing_id, route, boat, planned, _left, _arrived, reason in sailings:
        day = planned[:10]
        free = [c for c in crew if c[3] <= day and (c[4] is None or c[4] > day)]
        free = [c for c in free if c[0] not in taken.setdefault(day, set()) and c[0] != 36]  # 36 works ashore
        team: list[tuple[Row, str]] = []
        masters = [c for c in free if "master" in skills[c[0]]]
        if masters and reason != "no master":
            weights = [3 if position < 4 else 1 for position in range(len(masters))]
            team.append((rng.choices(masters, weights=weights)[0], "master"))
        jobs = ["engineer", "deckhand"] if boat in (3, 5) else ["mate", "engineer", "deckhand"]
        if boat == 7 or route == "060":
            jobs.append("purser")
        for job in jobs:
            if rng.random() < 0.12:
                continue  # one hand short
            rest = [c for c in free if job in skills[c[0]] and all(c[0] != member[0][0] for member in team)]
            if rest:
                team.append((rng.choice(rest), job))
        for member, job in team:
            taken[day].add(member[0])
            rows.append((sailing_id, member[0], job))
    return rows


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    yield "harbour", HARBOURS
    # a boat comes after the one that replaced it
    yield "vessel", sorted(VESSELS, key=lambda vessel: (vessel[7] is not None, vessel[0]))
    yield "route", ROUTES
    yield "fare_class", FARE_CLASSES
    fares = _fares()
    yield "fare", fares
    sailings = _sailings(rng)
    yield "sailing", sailings
    yield "ticket", _tickets(rng, sailings, fares)
    crew = _crew(rng)
    yield "crew_member", crew
    yield "duty", _duties(rng, sailings, crew)
