"""A bakery works through the night and has its vans at the cafés of the town before they open."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

Row = tuple[Any, ...]

CAFES: list[Row] = [
    ("0003", "Café Nord", "Gohliser Zeile 4", "04155", "2016-02-01", 5.0, None),
    ("0007", "Cafe Nord", "Nordplatz 11", "04105", "2019-08-12", 0.0, None),
    ("0011", "Milo's", "Karlsgasse 30", "04107", "2016-02-01", 7.5, None),
    ("0012", "Milo's am Fluss", "Uferweg 2", "04229", "2018-04-16", 7.5, "0011"),
    ("0019", "Milos", "Alte Messe 9", "04103", "2020-06-02", 0.0, None),
    ("0024", "L'Éclipse", "Lindenhof 1", "04177", "2017-09-04", 2.5, None),
    ("0031", "Kiosk Ost", "Eisenbahnstr. 88", "04315", "2017-10-30", 0.0, None),
    ("0032", "Kiosk Ost", "Eisenbahnstr. 141", "04315", "2021-03-08", 0.0, "0031"),
    ("0038", "Zur Blauen Kanne", "Markt 5", "04109", "2016-05-23", 10.0, None),
    ("0040", "Zur Blauen Kanne, Terrasse", "Markt 5", "04109", "2022-05-01", 10.0, "0038"),
    ("0041", "Brot & Bohne", "Südallee 61", "04275", "2018-01-15", 5.0, None),
    ("0046", "Brot und Bohne", "Weinbergstr. 7", "06108", "2023-01-09", 0.0, None),
    ("0052", "Teestube Ananda", "Karlsgasse 12", "04107", "2019-11-04", 0.0, None),
    ("0053", "Kantine, Stadtwerke", "Am Gaswerk 3", "04328", "2018-09-03", 12.5, None),
    ("0060", "Mensa d'Arte", "Akademieweg 1", "04107", "2021-10-11", 8.0, None),
    ("0066", "Frau Holle", "Südallee 9", "04275", "2020-02-17", 0.0, None),
    ("0071", "Zweite Schicht", "Spinnereihof 7", "04179", "2022-09-19", 3.0, None),
    ("0075", "Bahnhof, Gleis 1", "Hauptbahnhof", "04109", "2023-06-12", 6.0, None),
    ("0080", "Café Wanderer", "Seepromenade 20", "06112", "2023-11-13", 0.0, None),
    ("0099", "Probecafé", "Hof", "04109", "2024-11-25", 0.0, None),  # signed, nothing ordered yet
]
CAFE_WEIGHTS = [17, 9, 16, 10, 4, 12, 9, 6, 22, 8, 14, 5, 5, 19, 10, 6, 7, 12, 3, 0]

ROUNDS: list[Row] = [
    (1, "Nord", "04:10", "Henrike Matz"),
    (2, "Süd", "04:10", "Jonas O. Prell"),
    (3, "Ost", "04:25", "Thandi Mbeki-Roth"),
    (4, "West, über Kanal", "04:40", "Jonas Prell"),
    (5, "Ring", "03:55", None),
    (6, "Ring, spät", "06:15", "Henrike Matz"),
    (7, "Feiertag", "05:00", ""),
]
HOME_ROUND = dict(
    zip(
        [cafe[0] for cafe in CAFES],
        [1, 1, 5, 4, 5, 4, 3, 3, 5, 6, 2, 2, 5, 3, 5, 2, 4, 5, 2, 5],
        strict=True,
    )
)

ITEMS: list[Row] = [
    ("0101", "Rye sourdough", "bread", 1000, 4.2, None),
    ("0102", "Rye sourdough, sliced", "bread", 1000, 4.4, None),
    ("0104", "Miller's loaf", "bread", 750, 3.65, None),
    ("0107", "Walnut loaf", "bread", 500, 4.1, None),
    ("0110", "Potato bread", "bread", 750, 3.4, "2023-08-31"),
    ("0201", "Plain roll", "roll", 60, 0.38, None),
    ("0202", "Poppy roll", "roll", 65, 0.46, None),
    ("0203", "Sesame roll", "roll", 65, 0.46, None),
    ("0206", "Pumpkin-seed roll", "roll", 75, 0.62, None),
    ("0209", "Laugenstange", "roll", 85, 0.71, None),
    ("0301", "Croissant", "viennoiserie", 70, 0.98, None),
    ("0302", "Croissant, vegan", "viennoiserie", 70, 1.12, None),
    ("0303", "Pain au chocolat", "viennoiserie", 80, 1.24, None),
    ("0306", "Cinnamon knot", "viennoiserie", 95, 1.35, None),
    ("0310", "Baker's brioche", "viennoiserie", 55, 0.88, None),
    ("0401", "Apple tray cake", "cake", 140, 1.6, None),
    ("0402", "Poppy tray cake", "cake", 140, 1.7, None),
    ("0405", "Eierschecke", "cake", 150, 1.95, None),
    ("0407", "Lemon slice", "cake", 90, 1.45, "2024-03-31"),
    ("0409", "Quince tart", "cake", 120, 2.35, None),  # on the list since December, never ordered
]
ITEM_WEIGHTS = [15, 12, 9, 5, 3, 40, 18, 17, 14, 20, 36, 9, 16, 13, 6, 10, 5, 9, 4, 0]

INGREDIENTS: list[Row] = [
    ("wheat flour 550", "gluten", "Mühle Bennewitz", 0.62),
    ("wheat flour 405", "gluten", "Mühle Bennewitz", 0.66),
    ("rye flour 1150", "gluten", "Mühle Bennewitz", 0.71),
    ("spelt flour 630", "gluten", "Kornhaus, Halle", 1.28),
    ("water", None, None, None),
    ("salt", None, "Salina", 0.39),
    ("yeast", None, "Hefe-Union", 2.15),
    ("butter", "milk", "Molkerei Saale", 6.4),
    ("whole milk", "milk", "Molkerei Saale", 1.05),
    ("quark", "milk", "Molkerei Saale", 2.6),
    ("margarine", None, "Fett & Söhne", 2.9),
    ("oat drink", "gluten", "Haferwerk", 1.45),
    ("egg", "egg", "Hof O'Brien", 3.9),
    ("sugar", None, "Zuckerfabrik", 1.1),
    ("cinnamon", None, "Gewürzkontor", 14.8),
    ("poppy seed", None, "Gewürzkontor", 7.25),
    ("sesame", "sesame", "Gewürzkontor", 5.9),
    ("pumpkin seed", None, "Kornhaus, Halle", 8.1),
    ("walnut", "nuts", "Kornhaus, Halle", 11.5),
    ("dark chocolate", "soya", "Gewürzkontor", 9.35),
    ("apple", None, "Hof O'Brien", 1.35),
    ("potato", None, "Hof O'Brien", 0.8),
    ("lemon", None, "", 2.7),
    ("quince", None, "Hof O'Brien", 2.45),
    ("caraway", "", "Gewürzkontor", 9.9),
    ("saffron", None, "Gewürzkontor", 3200.0),
]
RECIPES: dict[str, dict[str, float]] = {
    "0101": {"rye flour 1150": 560, "water": 430, "salt": 12, "caraway": 2.5},
    "0102": {"rye flour 1150": 560, "water": 430, "salt": 12, "caraway": 2.5},
    "0104": {"wheat flour 550": 300, "rye flour 1150": 160, "water": 310, "salt": 9.5, "yeast": 6},
    "0107": {"spelt flour 630": 270, "water": 190, "walnut": 65, "salt": 6, "yeast": 5},
    "0110": {"wheat flour 550": 330, "potato": 150, "water": 230, "salt": 9, "yeast": 7.5},
    "0201": {"wheat flour 550": 40, "water": 24, "salt": 0.8, "yeast": 1.2},
    "0202": {"wheat flour 550": 40, "water": 24, "salt": 0.8, "yeast": 1.2, "poppy seed": 4},
    "0203": {"wheat flour 550": 40, "water": 24, "salt": 0.8, "yeast": 1.2, "sesame": 4},
    "0206": {"spelt flour 630": 44, "water": 26, "salt": 0.9, "yeast": 1.3, "pumpkin seed": 8},
    "0209": {"wheat flour 550": 55, "water": 28, "salt": 1.8, "yeast": 1.5, "margarine": 3},
    "0301": {"wheat flour 550": 34, "butter": 17, "whole milk": 12, "sugar": 4, "salt": 0.7, "yeast": 1.6},
    "0302": {"wheat flour 550": 34, "margarine": 17, "oat drink": 12, "sugar": 4, "salt": 0.7, "yeast": 1.6},
    "0303": {"wheat flour 550": 34, "butter": 17, "whole milk": 12, "sugar": 4, "salt": 0.7, "dark chocolate": 10},
    "0306": {"wheat flour 405": 46, "butter": 14, "whole milk": 18, "sugar": 11, "cinnamon": 1.4, "yeast": 1.8},
    "0310": {"wheat flour 405": 27, "butter": 11, "egg": 13, "sugar": 4.5, "salt": 0.5, "yeast": 1.1},
    "0401": {"wheat flour 405": 42, "apple": 68, "butter": 16, "sugar": 15, "egg": 9, "cinnamon": 0.3},
    "0402": {"wheat flour 405": 42, "poppy seed": 31, "butter": 15, "sugar": 17, "whole milk": 30, "egg": 9},
    "0405": {"wheat flour 405": 33, "quark": 58, "egg": 24, "butter": 14, "sugar": 19, "whole milk": 12},
    "0407": {"wheat flour 405": 30, "butter": 18, "sugar": 21, "egg": 16, "lemon": 9},
    "0409": {"wheat flour 405": 36, "quince": 55, "butter": 18, "sugar": 14, "egg": 7},
}

REASONS = {"stale": 14, "crushed": 9, "burnt": 6, "wrong item": 8, "not ordered": 5, None: 7, "": 2}
NOTES = ["back door", "Leave at neighbour's", "ring twice", "no plastic, please", "call Ms. Öz before 5"]


def _batches(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    night = date(2023, 1, 2)
    while night <= date(2024, 11, 30):
        for item, weight in zip(ITEMS, ITEM_WEIGHTS, strict=True):
            gone = item[5] is not None and item[5] < night.isoformat()
            if gone or not weight or rng.random() > 0.05 + weight / 110:
                continue
            oven = rng.choices(["A", "B", "C", "stone", None], weights=[10, 9, 4, 5 if item[2] == "bread" else 0, 2])[0]
            made = max(12, round(weight * rng.uniform(2.5, 9.5)))
            spoiled: int | None = int(made * rng.random() ** 4 * (0.5 if oven == "C" else 0.14))
            if rng.random() < 0.07:
                spoiled = None
            rows.append((len(rows) + 2001, item[0], night.isoformat(), oven, made, spoiled))
        night += timedelta(days=1 if night.weekday() != 5 else 2)  # Sunday nights are free
    return rows


def _orders(rng: random.Random) -> tuple[list[Row], list[Row]]:
    orders: list[Row] = []
    lines: list[Row] = []
    morning = date(2024, 1, 2)
    taste = {
        cafe[0]: [weight * rng.uniform(0.1, 1.6) * (rng.random() > 0.15) for weight in ITEM_WEIGHTS] for cafe in CAFES
    }
    while morning <= date(2024, 11, 30):
        text = morning.isoformat()
        for cafe, weight in zip(CAFES, CAFE_WEIGHTS, strict=True):
            if cafe[4] > text or morning.weekday() == 6 or rng.random() > weight / 56:
                continue
            state = rng.choices(["delivered", "collected", "cancelled"], weights=[88, 7, 5])[0]
            number = 30_001 + len(orders)
            van = HOME_ROUND[cafe[0]] if rng.random() < 0.92 else rng.choice((1, 2, 3, 4, 5, 6))
            if state == "collected" or (state == "cancelled" and rng.random() < 0.5):
                van = None
            draw = rng.random()
            note = rng.choice(NOTES) if draw < 0.07 else "" if draw < 0.1 else None
            orders.append((number, cafe[0], van, text, state, note))
            chosen: dict[str, int] = {}
            for index in rng.choices(range(len(ITEMS)), weights=taste[cafe[0]], k=rng.choice((1, 2, 2, 3, 3, 4, 6))):
                sku, _name, kind, _weight, _price, dropped = ITEMS[index]
                if dropped is None or dropped > text:
                    most = {"bread": 9, "roll": 90, "viennoiserie": 40, "cake": 24}[kind]
                    chosen[sku] = max(2, round(most * rng.random()))
            for sku, pieces in sorted(chosen.items()):
                price = next(item[4] for item in ITEMS if item[0] == sku)
                paid = round(price * (100 - cafe[5]) / 100 * (0.96 if text < "2024-05-01" else 1), 2)
                if rng.random() < 0.01:
                    paid = 0.0  # a sample
                lines.append((number, sku, pieces, paid))
        morning += timedelta(days=1)
    return orders, lines


def _returns(rng: random.Random, orders: list[Row], lines: list[Row]) -> list[Row]:
    rows: list[Row] = []
    state = {order[0]: order[4] for order in orders}
    cafe = {order[0]: order[1] for order in orders}
    for number, sku, pieces, price in lines:
        chance = 0.07 if cafe[number] in ("0038", "0053") else 0.03
        if state[number] == "cancelled" or cafe[number] == "0066" or rng.random() > chance:
            continue
        back = max(1, round(pieces * rng.random()))
        reason = rng.choices(list(REASONS), list(REASONS.values()))[0]
        credit = None if rng.random() < 0.12 else round(back * price * (0.5 if reason == "stale" else 1), 2)
        rows.append((501 + len(rows), number, sku, back, reason, credit))
    return rows


def rows(rng: random.Random) -> Iterator[tuple[str, list[Row]]]:
    """Yield each table's name and rows, in the order in which foreign keys can be checked."""
    yield "cafe", CAFES
    yield "delivery_round", ROUNDS
    yield "bakery_item", ITEMS
    yield "ingredient", [(position + 1, *ingredient) for position, ingredient in enumerate(INGREDIENTS)]
    ids = {ingredient[0]: position + 1 for position, ingredient in enumerate(INGREDIENTS)}
    yield "recipe_line", [(sku, ids[name], float(g)) for sku, recipe in RECIPES.items() for name, g in recipe.items()]
    yield "batch", _batches(rng)
    orders, lines = _orders(rng)
    yield "cafe_order", orders
    yield "order_line", lines
    yield "return_note", _returns(rng, orders, lines)
