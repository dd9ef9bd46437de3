"""Volunteers walk fixed lines through meadows, heaths and gardens and note which bees sit on which flowers."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

Row = tuple[Any, ...]

# family: genus: (species epithet, common name, threatened, how often it is met)
TAXA: dict[str, dict[str, list[tuple[str, str | None, int | None, int]]]] = {
    "Andrenidae": {
        "Andrena": [
            ("fulva", "tawny mining bee", 0, 24),
            ("hattorfiana", "large scabious mining bee", 1, 3),
            ("flavipes", "yellow-legged mining bee", 0, 30),
            ("nitida", "grey-patched mining bee", 0, 9),
            ("marginata", "small scabious mining bee", 1, 2),
            ("minutula", None, 0, 12),
        ],
        "Panurgus": [("calcaratus", "small shaggy bee", 0, 6)],
    },
    "Apidae": {
        "Apis": [("mellifera", "honey bee", None, 130)],
        "Bombus": [
            ("terrestris", "buff-tailed bumblebee", 0, 95),
            ("lapidarius", "red-tailed bumblebee", 0, 80),
            ("pascuorum", "common carder bee", 0, 74),
            ("lucorum", "white-tailed bumblebee", 0, 22),
            ("sylvarum", "shrill carder bee", 1, 5),
            ("muscorum", "moss carder bee", 1, 3),
            ("distinguendus", "great yellow bumblebee", 1, 0),
            ("vestalis", "vestal cuckoo bee", 0, 9),
        ],
        "Anthophora": [("plumipes", "hairy-footed flower bee", 0, 18)],
        "Nomada": [("goodeniana", "Gooden's nomad bee", 0, 7), ("armata", None, 1, 1)],
        "Eucera": [("longicornis", "long-horned bee", 1, 0)],
    },
    "Colletidae": {
        "Colletes": [
            ("cunicularius", "vernal colletes", 0, 11),
            ("daviesanus", "Davies' colletes", 0, 8),
            ("succinctus", "heather colletes", 0, 10),
        ],
        "Hylaeus": [("communis", "common yellow-face bee", 0, 7), ("signatus", "large yellow-face bee", 0, 3)],
    },
    "Halictidae": {
        "Halictus": [("rubicundus", "orange-legged furrow bee", 0, 12), ("tumulorum", None, 0, 10)],
        "Lasioglossum": [
            ("calceatum", "common furrow bee", 0, 21),
            ("morio", "green furrow bee", 0, 16),
            ("sexnotatum", "ashy furrow bee", 1, 2),
        ],
        "Sphecodes": [("albilabris", "giant blood bee", 0, 4)],
    },
    "Megachilidae": {
        "Osmia": [
            ("bicornis", "red mason bee", 0, 34),
            ("cornuta", "horned mason bee", 0, 15),
            ("xanthomelana", "large mason bee, cliff", 1, 0),
        ],
        "Megachile": [("willughbiella", "Willughby's leafcutter bee", 0, 9), ("versicolor", None, 0, 5)],
        "Anthidium": [("manicatum", "wool carder bee", 0, 8)],
    },
    "Melittidae": {
        "Dasypoda": [("hirtipes", "pantaloon bee", 0, 10)],
        "Macropis": [("europaea", "yellow loosestrife bee", 0, 2)],
        "Melitta": [("leporina", "clover melitta", 0, 0)],
    },
}
FLIGHT = {"Andrena fulva": (4, 5), "Osmia cornuta": (4, 5), "Osmia bicornis": (4, 6), "Colletes succinctus": (8, 9)}
FLIGHT |= {"Anthophora plumipes": (4, 6), "Colletes cunicularius": (4, 5), "Dasypoda hirtipes": (7, 9)}
FLIGHT |= {"Macropis europaea": (7, 8), "Andrena hattorfiana": (6, 8), "Andrena marginata": (7, 9)}

FLOWERS: list[Row] = [
    ("001", "white clover", "white", 1),
    ("002", "red clover", "pink", 1),
    ("003", "dandelion", "yellow", 1),
    ("004", "field scabious", "violet", 1),
    ("005", "heather", "pink", 1),
    ("006", "goat willow", "yellow", 1),
    ("008", "viper's bugloss", "blue", 1),
    ("009", "lacy phacelia", "blue", 0),
    ("010", "lavender", "violet", 0),
    ("011", "apple, garden", "white", 1),
    ("013", "apple, wild", None, 1),
    ("014", "yellow loosestrife", "yellow", 1),
    ("017", "Himalayan balsam", "pink", 0),
    ("018", "cornflower", "blue", 1),
    ("020", "bird's-foot trefoil", "yellow", 1),
    ("021", "oxeye daisy", "white", 1),
    ("023", "sainfoin", "", 0),
    ("024", "marsh gentian", "blue", 1),
]
FLOWER_WEIGHTS = [28, 24, 30, 7, 12, 10, 13, 11, 15, 8, 2, 3, 6, 5, 12, 9, 4, 0]

TRANSECTS: list[Row] = [
    ("004", "Møllebakken", "dry meadow", 400, "2018-04-02", None),
    ("007", "Møllebakken", "hedgerow", 250, "2018-04-02", None),
    ("009", "Sønderhede", "heath", 600, "2018-05-14", None),
    ("012", "Sønderhede Nord", "heath", 550, "2019-04-20", "2022-09-30"),
    ("015", "Skt. Jørgen's Churchyard", "garden", 180, "2018-06-01", None),
    ("018", "Railway Yard, disused", "wasteland", 320, "2019-03-30", None),
    ("021", "Ellemosen", "wet meadow", 450, "2020-04-11", None),
    ("022", "Ellemose", "wet meadow", 300, "2020-04-11", "2023-10-01"),
    ("030", "Øster Strand", "dune", 700, "2018-05-27", None),
    ("033", "Kildegård Orchard", "orchard", 220, "2021-04-08", None),
    ("034", "Kildegård, lower field", None, 380, "2021-04-08", None),
    ("041", "Rådhus roof garden", "garden", 60, "2022-05-05", None),
    ("042", "Langager", "field margin", 500, "2023-04-15", None),
    ("050", "Nørreeng", "", 410, "2024-10-20", None),  # marked out after the season, not yet walked
]
TRANSECT_WEIGHTS = [22, 11, 18, 10, 15, 12, 9, 5, 13, 8, 4, 6, 5, 0]

FIXED_OBSERVERS = [
    "Anders Krogh",
    "Anders Krog",
    "Anders Krogh",
    "Maja Lindskov",
    "Maya Lindskov",
    "Signe Bæk",
    "Signe Baek",
    "Liam O'Hara",
    "Thøger d'Herbigny",
    "Sørensen, Inge",
    "Inge Sørensen",
    "Class 6B, Nordre Skole",
]
FIRST = (
    "Asger Birthe Carsten Ditte Esben Freja Gorm Helle Ivalu Jeppe Karen Lasse Merete Niels Oluf Pernille Rasmus "
    "Sidsel Troels Vibeke Yrsa Åse"
).split()
LAST = "Abildgaard Bruun Dalsgaard Engholm Fisker Gammelby Hviid Juhl Kjær Ladefoged Munk Nygaard Overby Rømer".split()
GROUPS = {"Town": 18, "Heath": 12, "Coast": 9, "Moor & Fen": 6, "town": 2, "": 2, None: 6}

REMARKS = ["worn", "male", "queen", "nest hole seen", "on the path", "photo", "photo, blurred", "pollen grey-blue"]


def _taxa() -> list[Row]:
    rows: list[Row] = []
    for family, genera in TAXA.items():
        rows.append((len(rows) + 1, None, "family", family, None, None))
        family_id = len(rows)
        for genus, species in genera.items():
            rows.append((len(rows) + 1, family_id, "genus", genus, None, None))
            genus_id = len(rows)
            for epithet, common, threatened, _weight in species:
                rows.append((len(rows) + 1, genus_id, "species", f"{genus} {epithet}", common, threatened))
    return rows


def _observers(rng: random.Random) -> list[Row]:
    names = list(FIXED_OBSERVERS)
    while len(names) < 54:
        names.append(f"{rng.choice(FIRST)} {rng.choice(LAST)}")
    rng.shuffle(names)
    codes = sorted(rng.sample(range(8, 420), 48) + rng.sample(range(1000, 1100), 6))
    people: list[Row] = []
    for position, (code, name) in enumerate(zip(codes, names, strict=True)):
        season = min(2024, 2018 + position // 8 + (rng.random() < 0.15))
        draw = rng.random()
        mail = None if draw < 0.2 else "" if draw < 0.26 else f"obs{code:04d}@bier.example"
        people.append((f"{code:04d}", name, rng.choices(list(GROUPS), list(GROUPS.values()))[0], season, mail))
    return people


def _walks(rng: random.Random, people: list[Row]) -> list[Row]:
    drafts: list[Row] = []
    zeal = {person[0]: (0.0 if rng.random() < 0.08 else rng.random() ** 2.2 + 0.03) for person in people}
    home = {
        person[0]: rng.choices([row[0] for row in TRANSECTS], weights=TRANSECT_WEIGHTS, k=rng.choice((1, 1, 2, 3)))
        for person in people
    }
    for year in range(2018, 2025):
        for transect, weight in zip(TRANSECTS, TRANSECT_WEIGHTS, strict=True):
            walks = round(weight * rng.uniform(0.45, 1.0)) if year != 2020 else round(weight * 0.4)
            for _ in range(walks):
                month = rng.choices(range(4, 10), weights=[4, 6, 7, 7, 6, 3])[0]
                day = date(year, month, 1) + timedelta(days=rng.randrange(30))
                text = day.isoformat()
                if text < transect[4] or (transect[5] and text > transect[5]):
                    continue
                active = [person for person in people if person[3] <= year]
                weights = [zeal[p[0]] * (7 if transect[0] in home[p[0]] else 1) for p in active]
                observer = rng.choices(active, weights=weights)[0][0]
                hour = rng.choices(range(9, 18), weights=[4, 9, 12, 9, 8, 8, 6, 4, 2])[0]
                start = f"{hour:02d}:{rng.choice((0, 0, 15, 30, 30, 45, rng.randrange(60))):02d}"
                minutes: int | None = round(transect[3] / 10 * rng.uniform(0.8, 1.7)) + rng.randint(4, 15)
                if rng.random() < 0.06:
                    minutes = None
                drafts.append((text, transect[0], start, observer, minutes, int(rng.random() < 0.07)))
    drafts.sort()
    return [
        (position + 1, transect, observer, day, start, minutes, broken)
        for position, (day, transect, start, observer, minutes, broken) in enumerate(drafts)
    ]


def _weather(rng: random.Random, walks: list[Row]) -> list[Row]:
    rows: list[Row] = []
    for walk in walks:
        if rng.random() < 0.09:
            continue  # the form's back page was left empty
        month = int(walk[3][5:7])
        temp = round({4: 12.5, 5: 16.0, 6: 19.0, 7: 21.5, 8: 21.0, 9: 17.0}[month] + rng.gauss(0, 3), 1)
        wind = rng.choices(range(6), weights=[6, 16, 22, 17, 8, 2])[0]
        cloud = rng.choice((0, 10, 20, 20, 30, 50, 70, 80, 100))
        rows.append(
            (
                walk[0],
                None if rng.random() < 0.05 else temp,
                None if rng.random() < 0.08 else wind,
                None if rng.random() < 0.04 else cloud,
            )
        )
    return rows


def _sightings(rng: random.Random, taxa: list[Row], people: list[Row], walks: list[Row]) -> list[Row]:
    ids = {taxon[3]: taxon[0] for taxon in taxa}
    known = {
        f"{genus} {species[0]}": species[3]
        for genera in TAXA.values()
        for genus, group in genera.items()
        for species in group
    }
    checkers = rng.sample([person[0] for person in people if person[3] <= 2019], 4)
    rows: list[Row] = []
    for walk in walks:
        month = int(walk[3][5:7])
        flying = {
            name: weight
            for name, weight in known.items()
            if FLIGHT.get(name, (4, 9))[0] <= month <= FLIGHT.get(name, (4, 9))[1]
        }
        count = rng.choices((0, 1, 2, 3, 4, 5, 7, 10), weights=[5, 10, 18, 18, 16, 12, 8, 3])[0]
        for _ in range(count // 3 if walk[6] else count):
            name = rng.choices(list(flying), weights=list(flying.values()))[0]
            draw = rng.random()
            # small brown bees are often only told to the genus, a few only to the family
            taxon = ids[name]
            if draw < 0.13:
                taxon = ids[name.split()[0]]
            elif draw < 0.16:
                taxon = taxa[ids[name.split()[0]] - 1][1]
            flower = rng.choices(FLOWERS, weights=FLOWER_WEIGHTS)[0][0]
            if name in ("Andrena hattorfiana", "Andrena marginata") and rng.random() < 0.9:
                flower = "004"
            if name == "Macropis europaea":
                flower = "014"
            if rng.random() < 0.12:
                flower = None  # in flight
            many = name.startswith(("Apis", "Bombus"))
            number = 1 + int(rng.expovariate(1 / 4.5 if many else 1 / 1.1))
            checker = rng.choices(checkers, weights=[8, 5, 3, 1])[0] if rng.random() < 0.35 else None
            if checker == walk[2]:
                checker = None  # nobody checks a sighting of their own
            draw = rng.random()
            remark = rng.choice(REMARKS) if draw < 0.11 else "" if draw < 0.14 else None
            rows.append((len(rows) + 1, walk[0], taxon, flower, number, checker, remark))
    return rows


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    taxa = _taxa()
    yield "taxon", taxa
    people = _observers(rng)
    yield "observer", people
    yield "transect", TRANSECTS
    yield "flower", FLOWERS
    walks = _walks(rng, people)
    yield "walk", walks
    yield "walk_weather", _weather(rng, walks)
    yield "sighting", _sightings(rng, taxa, people, walks)
