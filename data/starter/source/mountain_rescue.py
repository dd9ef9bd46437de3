"""Six volunteer mountain-rescue posts log who was called out, for whom, for how long, and who pays."""

import random
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

Row = tuple[Any, ...]

POSTS: list[Row] = [
    ("01", "Hochkar Sattel", "Silvretal", 1640, 1923),
    ("02", "Val Sorda", "Silvretal", 1210, 1951),
    ("04", "Pian dell'Orso", "Valmezza", 1385, 1938),
    ("07", "Lac-Noir-d'en-Haut", "Valmezza", 1785, 1974),
    ("09", "Krasna Planina", "Belgora", 1120, 1962),
    ("10", "Krasna Planina, North", "Belgora", 1290, 2015),
]
POST_WEIGHTS = [30, 14, 24, 17, 10, 5]
CREW_SIZE = {"01": 19, "02": 11, "04": 16, "07": 12, "09": 9, "10": 5}

FIXED_NAMES = [
    "Marta Kofler",
    "Martha Kofler",
    "Marta Koffler",
    "Luka Zupanec",
    "Luka Zupanec",
    "Nico Dell'Acqua",
    "Nicò Dell'Acqua",
    "Jean-Luc Favret",
    "Jean Luc Favret",
    "Seán O'Rourke",
    "Ana Petek",
    "Anna Petek",
]
FIRST = [
    "Matteo",
    "Giulia",
    "Florian",
    "Vreni",
    "Élise",
    "Bastien",
    "Tadej",
    "Katarina",
    "Urs",
    "Chiara",
    "Benno",
    "Solène",
    "Miha",
    "Petra",
    "Gian",
    "Ladina",
    "Rok",
    "Heidrun",
    "Ottavio",
    "Noémie",
]
LAST = [
    "Obertaler",
    "Casagranda",
    "Rochat",
    "Hribernik",
    "Planta",
    "Moosbrugger",
    "De Zordo",
    "Combaz",
    "Kranjec",
    "Innerhofer",
    "Vuillème",
    "Caduff",
    "Bertoldi",
    "Gamsjäger",
    "Rozman",
    "Pittaval",
]

SKILLS: list[Row] = [
    ("WFA", "wilderness first aid", 2),
    ("AVA", "avalanche search", 3),
    ("ROP", "rope rescue", 3),
    ("HEL", "helicopter winch", 1),
    ("DOG", "search-dog handling", 2),
    ("RAD", "radio operation", None),
    ("CAN", "canyon rescue", 3),
    ("CAV", "cave rescue", 3),
]
SKILL_CHANCE = {
    "WFA": 0.85,
    "AVA": 0.55,
    "ROP": 0.6,
    "HEL": 0.3,
    "DOG": 0.1,
    "RAD": 0.35,
    "CAN": 0.16,
    "CAV": 0.0,
}

PLACES = {
    "01": ["Hochkar north face", "Sattel ridge", "Steinbock gully", "Rote Wand", "Alte Hütte"],
    "02": ["Cascata Sorda", "Via dei Frati", "Malga Bassa", "Sorda gorge"],
    "04": ["Cima dell'Orso", "Orso couloir", "Forcella Grande", "Bivacco Testa", "Malga Bassa"],
    "07": ["Lac Noir", "Arête des Chèvres", "Col du Vent", "Dalle d'en Haut, left"],
    "09": ["Velika Krasna", "Jama Mrak", "Bukov preval"],
    "10": ["Velika Krasna", "Severni stolp"],
}
HOUR_WEIGHTS = [1, 1, 1, 0, 0, 1, 2, 4, 6, 8, 10, 12, 12, 14, 15, 15, 13, 10, 8, 6, 5, 3, 2, 1]
WINTER = {"ski touring": 40, "snowshoeing": 15, "ice climbing": 8, "hiking": 14, None: 4}
SUMMER = {
    "hiking": 50,
    "climbing": 18,
    "mountain biking": 12,
    "via ferrata": 13,
    "mushroom picking": 7,
    "paragliding": 5,
    None: 5,
}
WEATHER = {"clear": 30, "cloudy": 20, "rain": 11, "snow": 9, "fog": 8, "storm": 5, "": 3, None: 9}
PURPOSES = {"rope and harness": 8, "new van": 14, "first-aid kit": 9, "dogs": 5, "": 3, None: 30}
COUNTRIES = ["IT", "AT", "DE", "CH", "FR", "SI", "NL", "CZ", "GB", "PL"]
INJURIES = ["ankle", "knee", "head", "wrist", "hypothermia", "exhaustion", "back", "shoulder, dislocated"]
GIVERS = [
    "Bäckerei Unterweger",
    "Pro Loco Valmezza",
    "Hotel Edelspitz",
    "Club Alpin, section du Lac",
    "anonymous",
    "Anonymous",
    "Famiglia D'Incau",
    "Krasna Cable Cars d.o.o.",
    "Sparverein Silvretal",
    "Parish of St. Roch's",
    "Gasthof Post & Partner",
    "Lions of Belgora",
    "R. Innerhofer",
    "Rifugio Tre Pini",
]


def _day(rng: random.Random, first: date, last: date) -> date:
    return first + timedelta(days=rng.randrange((last - first).days + 1))


def _rescuers(rng: random.Random) -> list[Row]:
    names = list(FIXED_NAMES)
    while len(names) < sum(CREW_SIZE.values()):
        names.append(f"{rng.choice(FIRST)} {rng.choice(LAST)}")
    rng.shuffle(names)
    posts = [post for post, size in CREW_SIZE.items() for _ in range(size)]
    rng.shuffle(posts)
    joined = sorted(_day(rng, date(1994, 1, 10), date(2023, 6, 30)) for _ in names)
    people: list[Row] = []
    for position, (name, post, since) in enumerate(zip(names, posts, joined, strict=True)):
        left = None
        if since.year < 2019 and rng.random() < 0.27:
            left = _day(rng, date(2019, 6, 1), date(2024, 10, 31)).isoformat()
        group = rng.choices(["0+", "A+", "B+", "AB+", "0-", "A-", None], weights=[33, 34, 9, 4, 6, 6, 12])[0]
        address = re.sub(r"[^a-z.]", "", name.lower().replace(" ", "."))
        draw = rng.random()
        mail = None if draw < 0.15 else "" if draw < 0.23 else f"{address}@sar{post}.example"
        elders = [person for person in people if person[2] == post]
        mentor = None
        if elders and rng.random() < 0.72:
            mentor = elders[0][0] if rng.random() < 0.4 else rng.choice(elders)[0]
        if mentor is None and people and rng.random() < 0.15:
            mentor = rng.choice(people)[0]
        people.append((position + 1, name, post, since.isoformat(), left, group, mail, mentor))
    return people


def _skills(rng: random.Random, people: list[Row]) -> list[Row]:
    earned: list[Row] = []
    for person in people:
        if rng.random() < 0.06:
            continue  # newcomers and the treasurer hold no certificate
        first = max(date.fromisoformat(person[3]), date(2014, 1, 1))
        last = date.fromisoformat(person[4]) if person[4] else date(2024, 11, 30)
        for code, chance in SKILL_CHANCE.items():
            if rng.random() < chance:
                earned.append((person[0], code, _day(rng, first, last).isoformat()))
    return earned


def _callouts(rng: random.Random) -> list[Row]:
    alarms: list[datetime] = []
    for year in range(2019, 2025):
        for month, weight in enumerate((7, 8, 6, 2, 2, 4, 8, 10, 6, 3, 1, 4), start=1):
            busy = weight // 2 if (year, month) in ((2020, 3), (2020, 4), (2021, 1)) else weight
            for _ in range(max(0, busy + rng.randint(-1, 1))):
                hour = rng.choices(range(24), weights=HOUR_WEIGHTS)[0]
                alarms.append(datetime(year, month, rng.randint(1, 28), hour, rng.randrange(60)))
    alarms.sort()
    rows: list[Row] = []
    in_year: dict[int, int] = {}
    for alarm in alarms:
        in_year[alarm.year] = in_year.get(alarm.year, 0) + 1
        number = f"{alarm.year % 100:02d}/{in_year[alarm.year]:03d}"
        post = rng.choices([row[0] for row in POSTS], weights=POST_WEIGHTS)[0]
        if alarm.month in (12, 1, 2, 3):
            activity = rng.choices(list(WINTER), list(WINTER.values()))[0]
        else:
            activity = rng.choices(list(SUMMER), list(SUMMER.values()))[0]
        if activity == "mushroom picking" and alarm.month not in (8, 9, 10):
            activity = "hiking"
        if post == "10" and activity == "paragliding":
            activity = "hiking"  # nobody flies there
        false_alarm = int(rng.random() < 0.13)
        helicopter = int(not false_alarm and rng.random() < 0.34)
        minutes = rng.randint(25, 90) if false_alarm else rng.randint(60, 300)
        if not false_alarm and rng.random() < 0.1:
            minutes += rng.randint(240, 1300)
        cost = None
        if rng.random() > 0.12:
            flight = helicopter * rng.randint(180_000, 420_000) / 100
            cost = round(140 + minutes * rng.randint(110, 290) / 100 + flight, 2)
        weather = rng.choices(list(WEATHER), list(WEATHER.values()))[0]
        closed = alarm + timedelta(minutes=minutes)
        rows.append(
            (
                number,
                post,
                alarm.strftime("%Y-%m-%d %H:%M"),
                closed.strftime("%Y-%m-%d %H:%M"),
                activity,
                rng.choice(PLACES[post]),
                weather,
                helicopter,
                false_alarm,
                cost,
            )
        )
    return rows


def _crew(rng: random.Random, people: list[Row], callouts: list[Row]) -> list[Row]:
    rows: list[Row] = []
    for call in callouts:
        day = call[2][:10]
        active = [person for person in people if person[3] <= day and (person[4] is None or person[4] > day)]
        near = [person for person in active if person[2] == call[1]]
        far = [person for person in active if person[2] != call[1]]
        # the older hands of a post live nearest and go most often
        keen = sorted(near, key=lambda person: (rng.random() * (1 + person[0] / 40), person[0]))
        team = keen[: rng.choice((2, 3, 3, 4, 4, 5, 6))]
        if len(team) < 3 or rng.random() < 0.1:
            team = team + rng.sample(far, 1)
        length = (datetime.fromisoformat(call[3]) - datetime.fromisoformat(call[2])).seconds / 3600
        length += (datetime.fromisoformat(call[3]) - datetime.fromisoformat(call[2])).days * 24
        for position, person in enumerate(team):
            duty = (
                "leader"
                if position == 0
                else rng.choices(["medic", "rope", "driver", "search", "radio"], weights=[22, 24, 20, 25, 6])[0]
            )
            hours = max(0.5, round(length * rng.randint(70, 110) / 100 * 4) / 4)
            rows.append((call[0], person[0], duty, hours))
    return rows


def _casualties(rng: random.Random, callouts: list[Row]) -> list[Row]:
    rows: list[Row] = []
    for call in callouts:
        if call[8]:
            continue
        for _ in range(rng.choice((0, 1, 1, 1, 1, 1, 1, 2, 2, 4))):
            severity = rng.choices(range(8), weights=[12, 26, 24, 20, 9, 4, 1, 3])[0]
            injury = None if severity == 0 or rng.random() < 0.07 else rng.choice(INJURIES)
            age = None if rng.random() < 0.09 else min(rng.randint(6, 68) + rng.randrange(20), 86)
            country = rng.choices([*COUNTRIES, None], weights=[26, 17, 20, 9, 11, 12, 6, 4, 3, 3, 5])[0]
            rows.append((len(rows) + 1, call[0], age, country, injury, severity))
    return rows


def _gifts(rng: random.Random) -> list[Row]:
    drafts: list[Row] = []
    for _ in range(186):
        # nobody has given to the new post "10" yet
        post = rng.choices(["01", "02", "04", "07", "09"], weights=[30, 14, 26, 18, 12])[0]
        day = _day(rng, date(2018, 1, 3), date(2024, 12, 20))
        draw = rng.random()
        if draw < 0.55:
            amount = float(rng.choice((20, 25, 50, 50, 100, 100, 150, 200)))
        elif draw < 0.9:
            amount = round(rng.randint(800, 60_000) / 100, 2)
        else:
            amount = float(rng.randint(12, 60) * 100)
        purpose = rng.choices(list(PURPOSES), list(PURPOSES.values()))[0]
        drafts.append((day.isoformat(), post, rng.choice(GIVERS), amount, purpose))
    drafts.sort(key=lambda draft: draft[0])
    return [
        (901 + position, post, giver, day, amount, purpose)
        for position, (day, post, giver, amount, purpose) in enumerate(drafts)
    ]


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    yield "rescue_post", POSTS
    people = _rescuers(rng)
    yield "rescuer", people
    yield "skill", SKILLS
    yield "rescuer_skill", _skills(rng, people)
    callouts = _callouts(rng)
    yield "callout", callouts
    yield "callout_crew", _crew(rng, people, callouts)
    yield "casualty", _casualties(rng, callouts)
    yield "gift", _gifts(rng)
