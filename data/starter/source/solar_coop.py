"""An energy cooperative puts solar plants on borrowed roofs, reads them daily and shares out what they earn."""

import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

Row = tuple[Any, ...]

FIRST_READING = date(2023, 7, 1)
LAST_READING = date(2024, 12, 31)

PLANTS: list[Row] = [
    ("001", "Creamery Hall", "Kilbrack Creamery", "Kilbrack", 48.6, "2015-05-11", 30, None),
    ("002", "St Finbar's School", "Board of St Finbar's", "Kilbrack", 29.7, "2016-04-02", 35, None),
    ("003", "Rowan Yard", "Hegarty, Sons & Co.", "Dunmoyle", 64.8, "2016-09-19", 12, None),
    ("004", "Rowan Yard, annex", "Hegarty, Sons & Co.", "Dunmoyle", 21.6, "2019-03-28", 12, "003"),
    ("005", "Handball Alley", None, "Inishcarrig", 14.4, "2017-06-30", None, None),
    ("007", "Tidewater Stores", "Tidewater Ltd", "Inishcarrig", 99.0, "2018-08-08", 10, None),
    ("008", "Creamery Hall II", "Kilbrack Creamery", "Kilbrack", 40.5, "2020-10-21", 30, "001"),
    ("010", "O'Gorman's Barn", "M. O'Gorman", "Slievemore", 33.3, "2019-07-05", 42, None),
    ("011", "O'Gorman's Lower Barn", "M. O'Gorman", "Slievemore", 18.9, "2021-05-17", 42, "010"),
    ("012", "Fire Station", "County Council", "Dunmoyle", 26.1, "2021-11-02", 0, None),
    ("014", "Library Roof", "County Council", "Kilbrack", 17.1, "2023-09-12", 0, None),
    ("015", "Tidewater Stores, cold hall", "Tidewater Ltd", "Inishcarrig", 58.5, "2024-04-03", 10, "007"),
    ("016", "Boat House", "", "Inishcarrig", 12.6, None, 25, None),  # built, still waiting for the grid
]

FIXED_MEMBERS = [
    ("Niamh Ó Sé", "person"),
    ("Niamh O'Shea", "person"),
    ("Niamh O Shea", "person"),
    ("Pádraig Duggan", "person"),
    ("Padraig Duggan", "person"),
    ("Padraig Duggan", "person"),
    ("Mary Keane", "person"),
    ("Mary Keane", "person"),
    ("Mary Keaney", "person"),
    ("Duggan, P. & Co.", "company"),
    ("Tidewater Ltd", "company"),
    ("Tide Water Ltd.", "company"),
    ("Hegarty, Sons & Co.", "company"),
    ("Slievemore Silver Band", "club"),
    ("Slievemore Rowing Club", "club"),
    ("Dunmoyle Players' Guild", "club"),
    ("Kilbrack Tidy Streets", "club"),
    ("Inishcarrig Swimmers", "club"),
    ("The Folan Household", "household"),
    ("Family D'Arcy-Quill", "household"),
]
FIRST = (
    "Aisling Brendan Ciara Declan Emer Fergus Gráinne Hugo Imelda Jarlath Karolina Lorcan Maeve Nuala Oisín "
    "Piotr Róisín Senan Tadhg Una Vivek Winnie Yusuf Zuzanna"
).split()
LAST = (
    "Breathnach Carmody Devane Enright Flannery Gilhooly Hession Ivers Jankowski Kinsella Lacey McGrath Nestor "
    "O'Malley Prendergast Quilty Ruane Scanlon Tuohy Uí-Néill Varghese Whelan"
).split()
TOWNS = {"Kilbrack": 34, "Dunmoyle": 24, "Inishcarrig": 19, "Slievemore": 11, "Gortnaleck": 5, "Kilbrack East": 3}

MAKERS = {"Solvane": 5, "Heliotek": 4, "Kestrel Power": 2}
FIRMS = {"Brightspark Electrical": 9, "Bright Spark Roofing": 3, "Dolan & Daughter": 6, "Wattcare": 4}
FINDINGS = {
    "routine": ["all in order", "", "isolator stiff", "label faded, replaced"],
    "fault": ["string 2 open", "inverter fan seized", "earth leak, east string", "rodent damage to cable", None],
    "cleaning": ["lichen on lower row", "gull droppings", "", None],
    "storm": ["two panels cracked", "clamp lost", "nothing found"],
    "meter": ["meter swapped", "logger's SIM expired", None],
}


def _day(rng: random.Random, first: date, last: date) -> date:
    return first + timedelta(days=rng.randrange((last - first).days + 1))


def _members(rng: random.Random) -> list[Row]:
    drafts = list(FIXED_MEMBERS)
    while len(drafts) < 172:
        surname = rng.choice(LAST)
        if rng.random() < 0.16:
            drafts.append((f"The {surname} Household", "household"))
        else:
            drafts.append((f"{rng.choice(FIRST)} {surname}", "person"))
    rng.shuffle(drafts)
    joined = sorted(
        _day(rng, date(2014, 11, 3), date(2015, 12, 20))
        if rng.random() < 0.38
        else _day(rng, date(2016, 1, 8), date(2024, 11, 15))
        for _ in drafts
    )
    members: list[Row] = []
    for position, ((name, kind), since) in enumerate(zip(drafts, joined, strict=True)):
        number = f"{11 + position * 3 + rng.randrange(3):05d}"
        town = rng.choices(list(TOWNS), list(TOWNS.values()))[0]
        left = None
        if since.year < 2022 and rng.random() < 0.14:
            left = _day(rng, date(2022, 2, 1), date(2024, 9, 30)).isoformat()
        draw = rng.random()
        mail = f"m{number}@post{rng.randint(1, 4)}.example"
        if draw < 0.17:
            mail = None
        elif draw < 0.24:
            mail = ""
        members.append((number, name, kind, town, since.isoformat(), left, mail))
    return members


def _purchases(rng: random.Random, members: list[Row]) -> list[Row]:
    drafts: list[Row] = []
    for number, _name, kind, _town, joined, left, _mail in members:
        if rng.random() < 0.07:
            continue  # paid the entry fee and has bought nothing so far
        start = date.fromisoformat(joined)
        end = date.fromisoformat(left) if left else date(2024, 12, 10)
        for turn in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 5))):
            day = min(end, start + timedelta(days=rng.randint(0, 40))) if turn == 0 else _day(rng, start, end)
            most = {"person": 10, "household": 14, "club": 20, "company": 90}[kind]
            shares = max(1, round(most * rng.random() ** 2))
            price = 25_000 if day.year < 2019 else 26_500 if day.year < 2022 else 28_750
            drafts.append((day.isoformat(), number, shares, price))
    drafts.sort()
    return [(position + 1, number, day, shares, price) for position, (day, number, shares, price) in enumerate(drafts)]


def _inverters(rng: random.Random) -> list[Row]:
    inverters: list[Row] = []
    serials = rng.sample(range(104_000, 9_800_000), 60)
    for code, _name, _owner, _town, peak, switched_on, _tilt, _extends in PLANTS:
        count = max(1, round(peak / 22))
        start = date.fromisoformat(switched_on or "2024-11-20")
        for _ in range(count):
            fitted = start - timedelta(days=rng.randint(3, 30))
            rated = rng.choice((10.0, 12.5, 15.0)) if peak < 20 else rng.choice((17.5, 20.0, 20.0, 25.0))
            maker = rng.choices(list(MAKERS), list(MAKERS.values()))[0]
            removed = None
            if start.year < 2020 and rng.random() < 0.4:
                removed = _day(rng, date(2021, 3, 1), date(2024, 10, 31))
            inverters.append(
                (
                    f"{serials.pop():08d}",
                    code,
                    maker,
                    rated,
                    fitted.isoformat(),
                    removed.isoformat() if removed else None,
                )
            )
            if removed:
                again = removed + timedelta(days=rng.choice((0, 0, 1, 6)))
                inverters.append((f"{serials.pop():08d}", code, "Solvane", rated, again.isoformat(), None))
    return inverters


def _yields(rng: random.Random) -> list[Row]:
    days = [FIRST_READING + timedelta(days=n) for n in range((LAST_READING - FIRST_READING).days + 1)]
    sky = [rng.betavariate(2.2, 1.9) for _ in days]
    readings: list[Row] = []
    for code, _name, _owner, _town, peak, switched_on, tilt, _extends in PLANTS:
        if switched_on is None:
            continue
        silent = 0
        for day, light in zip(days, sky, strict=True):
            if day.isoformat() < switched_on:
                continue
            if silent == 0 and rng.random() < 0.006:
                silent = rng.choice((1, 2, 2, 3, 5, 9, 21))  # the logger sends nothing at all
            if silent:
                silent -= 1
                continue
            season = 0.5 - 0.42 * math.cos(2 * math.pi * (day.timetuple().tm_yday + 10) / 365.25)
            hours = season * (0.9 + light * 6.2) * (1.03 if (tilt or 20) >= 30 else 0.95)
            kwh: float | None = round(peak * hours * rng.uniform(0.86, 1.05), 1)
            draw = rng.random()
            if draw < 0.011:
                kwh = None  # sent, but unreadable
            elif draw < 0.016:
                kwh = 0.0  # tripped
            readings.append((code, day.isoformat(), kwh))
    return readings


def _statements(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for code, _name, _owner, _town, peak, switched_on, _tilt, _extends in PLANTS:
        if switched_on is None:
            continue
        for year in range(2021, 2025):
            for quarter, hours in enumerate((148, 318, 301, 104), start=1):
                if f"{year}-{3 * quarter:02d}-15" < switched_on:
                    continue
                billed = round(peak * hours * rng.uniform(0.82, 1.08))
                tenths = {2021: 92, 2022: 141, 2023: 137, 2024: 118}[year]  # tenths of a cent a kWh
                due = date(year + quarter // 4, (3 * quarter) % 12 + 1, 1)
                paid = due + timedelta(days=rng.randint(18, 75))
                unpaid = rng.random() < 0.02 or (year == 2024 and quarter == 4)
                text = None if unpaid else paid.isoformat()
                rows.append((code, f"{year}-Q{quarter}", billed, round(billed * tenths / 10), text))
    return rows


def _payouts(rng: random.Random, members: list[Row], purchases: list[Row]) -> list[Row]:
    drafts: list[Row] = []
    for year, cents in ((2019, 610), (2020, 640), (2021, 585), (2022, 1120), (2023, 1045)):
        for member in members:
            number, left = member[0], member[5]
            held = sum(row[3] for row in purchases if row[1] == number and row[2] < f"{year}-12-31")
            if not held or (left and left <= f"{year}-12-31") or rng.random() < 0.03:
                continue
            sent = date(year + 1, 5, 6) + timedelta(days=rng.choice((0, 0, 0, 0, 1, 7, 30)))
            # some cheques were never cashed, some bank details are wrong: not sent
            drafts.append((year, number, held * cents, None if rng.random() < 0.05 else sent.isoformat()))
    return [(7001 + n, number, year, cents, sent) for n, (year, number, cents, sent) in enumerate(drafts)]


def _visits(rng: random.Random, inverters: list[Row]) -> list[Row]:
    drafts: list[Row] = []
    for code, _name, _owner, _town, peak, switched_on, _tilt, _extends in PLANTS:
        if switched_on is None or code == "014":
            continue  # the library's own caretaker does it
        first = max(date.fromisoformat(switched_on) + timedelta(days=60), date(2019, 1, 7))
        for _ in range(round((LAST_READING - first).days / 365 * (2.2 + peak / 30)) + 1):
            day = _day(rng, first, date(2024, 12, 12))
            if day.month in (1, 2, 11, 12) and rng.random() < 0.4:
                reason = "storm"
            else:
                reason = rng.choices(["routine", "fault", "cleaning", "meter"], weights=[9, 6, 5, 2])[0]
            serial = None
            fitted = [row[0] for row in inverters if row[1] == code and row[4] <= day.isoformat()]
            fitted = [s for s in fitted if not any(r[0] == s and r[5] and r[5] < day.isoformat() for r in inverters)]
            if fitted and (reason == "fault" or (reason == "routine" and rng.random() < 0.3)):
                serial = rng.choice(fitted) if rng.random() < 0.9 else None
            firm = rng.choices(list(FIRMS), list(FIRMS.values()))[0]
            cost: int | None = rng.randint(90, 480) * 50 + (peak > 45) * 6_000
            if reason in ("fault", "storm") and rng.random() < 0.3:
                cost = rng.randint(600, 4_200) * 100 + rng.randrange(100)
            draw = rng.random()
            if draw < 0.1:
                cost = None  # not invoiced yet
            elif draw < 0.16:
                cost = 0  # under warranty
            drafts.append((day.isoformat(), code, serial, firm, reason, cost, rng.choice(FINDINGS[reason])))
    drafts.sort(key=lambda draft: (draft[0], draft[1]))
    return [
        (position + 1, code, serial, day, firm, reason, cost, findings)
        for position, (day, code, serial, firm, reason, cost, findings) in enumerate(drafts)
    ]


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    members = _members(rng)
    yield "coop_member", members
    purchases = _purchases(rng, members)
    yield "share_purchase", purchases
    yield "roof_plant", PLANTS
    inverters = _inverters(rng)
    yield "inverter", inverters
    yield "daily_yield", _yields(rng)
    yield "grid_statement", _statements(rng)
    yield "payout", _payouts(rng, members, purchases)
    yield "service_visit", _visits(rng, inverters)
