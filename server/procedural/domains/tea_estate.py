"""A tea estate from the nursery to the buyer: fields, pluckings, batches and grades."""

from datetime import date

from sql_env.server.procedural.domain import (
    Bridge,
    Category,
    Codes,
    Day,
    Domain,
    Entity,
    Flag,
    Label,
    Link,
    Made,
    Number,
    People,
    Places,
    Year,
)

DOMAIN = Domain(
    name="tea_estate",
    story="A tea estate records what grows on its fields, who plucks it, and to whom the finished batches go.",
    entities=(
        Entity(
            name="nursery",
            one="nursery",
            many="nurseries",
            rows="few",
            label=Label(column="name", noun="name", names=Places()),
            attributes=(
                Number(
                    column="greenhouses",
                    noun="number of greenhouses",
                    nouns="numbers of greenhouses",
                    low=1,
                    high=22,
                    counted="greenhouses",
                    total=True,
                ),
                Number(
                    column="annual_rainfall_mm",
                    noun="annual rainfall",
                    low=900,
                    high=3400,
                    step=10,
                    unit="millimetres",
                    nouns="annual rainfall figures",
                ),
                Year(
                    column="founded_in", noun="founding year", low=1898, high=1952, did=("was founded", "were founded")
                ),
                Category(
                    column="propagation",
                    noun="propagation method",
                    options=("cuttings", "seeds", "grafts", "tissue culture"),
                    of="working with {}",
                ),
                Flag(
                    column="state_owned",
                    noun="state ownership",
                    yes=("is owned by the state", "are owned by the state"),
                    no=("is not owned by the state", "are not owned by the state"),
                    share=0.35,
                ),
            ),
        ),
        Entity(
            name="cultivar",
            one="cultivar",
            many="cultivars",
            rows="few",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Amber", "Silver", "Misty", "Bright", "Early", "Copper", "Jade", "Tall"),
                        ("Bud", "Leaf", "Valley", "Dawn", "Tip", "Crown", "Fern"),
                        ("", "2", "7", "11"),
                    )
                ),
            ),
            attributes=(
                Category(
                    column="leaf_size", noun="leaf size", options=("medium", "small", "large"), of="known for {} leaves"
                ),
                Number(
                    column="typical_yield",
                    noun="typical yield",
                    low=900,
                    high=3800,
                    step=20,
                    unit="kilograms per hectare",
                ),
                Number(
                    column="caffeine_pct", noun="caffeine content", low=1.8, high=4.6, step=0.1, unit="%", nulls=0.1
                ),
                Year(
                    column="released_in",
                    noun="release year",
                    low=1955,
                    high=1990,
                    did=("was released", "were released"),
                ),
                Flag(
                    column="drought_resistant",
                    noun="drought resistance",
                    yes=("is drought-resistant", "are drought-resistant"),
                    no=("is not drought-resistant", "are not drought-resistant"),
                ),
            ),
            links=(
                Link(to="nursery", role="nursery", of="raised at {}", did="raised {}"),
                Link(
                    to="cultivar",
                    role="parent_cultivar",
                    of="bred from {}",
                    did=("was used to breed {}", "were used to breed {}"),
                    nulls=0.35,
                ),
            ),
        ),
        Entity(
            name="field",
            one="field",
            many="fields",
            rows="some",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Upper", "Lower", "Old", "East", "West", "Far"),
                        ("Bungalow", "Temple", "Spring", "Cedar", "Tiger", "Bridge", "Monsoon", "Orchid"),
                        ("Slope", "Terrace", "Block", "Garden"),
                    )
                ),
            ),
            attributes=(
                Number(
                    column="area_ha",
                    noun="area",
                    low=0.8,
                    high=24,
                    step=0.1,
                    unit="hectares",
                    adjectives=("larger", "smaller", "largest", "smallest"),
                    total=True,
                ),
                Number(column="elevation_m", noun="elevation", low=640, high=2150, step=5, unit="metres"),
                Category(
                    column="soil",
                    noun="type of soil",
                    options=("red loam", "sandy loam", "clay", "volcanic ash"),
                    of="on {}",
                    nouns="types of soil",
                ),
                Year(
                    column="planted_in", noun="planting year", low=1991, high=2018, did=("was planted", "were planted")
                ),
                Number(
                    column="shade_trees",
                    noun="number of shade trees",
                    nouns="numbers of shade trees",
                    low=0,
                    high=420,
                    skew=2,
                    counted="shade trees",
                    total=True,
                    nulls=0.07,
                ),
                Flag(
                    column="is_irrigated",
                    noun="irrigation",
                    nouns="irrigation",
                    yes=("is irrigated", "are irrigated"),
                    no=("is not irrigated", "are not irrigated"),
                ),
            ),
            links=(
                Link(
                    to="cultivar",
                    role="cultivar",
                    of="given over to {}",
                    did=("is grown on {}", "are grown on {}"),
                ),
            ),
        ),
        Entity(
            name="plucker",
            one="plucker",
            many="pluckers",
            rows="some",
            person=True,
            label=Label(column="name", noun="name", names=People()),
            attributes=(
                Category(
                    column="home_village",
                    noun="home village",
                    options=("Kandavala", "Nirulla", "Pattipur", "Semmaloya", "Marawela"),
                    of="from {}",
                ),
                Number(column="daily_wage", noun="daily wage", low=4.5, high=11, step=0.1, unit="euros"),
                Number(
                    column="harvest_bonus",
                    noun="harvest bonus",
                    nouns="harvest bonuses",
                    low=10,
                    high=240,
                    step=5,
                    unit="euros",
                    total=True,
                ),
                Day(
                    column="hired_on",
                    noun="hiring date",
                    first=date(2003, 1, 1),
                    last=date(2021, 12, 31),
                    did=("was hired", "were hired"),
                ),
                Flag(
                    column="can_prune",
                    noun="pruning training",
                    yes=("is trained in pruning", "are trained in pruning"),
                    no=("is not trained in pruning", "are not trained in pruning"),
                ),
            ),
        ),
        Entity(
            name="grade",
            one="grade",
            many="grades",
            rows="few",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Estate", "Garden", "Hill", "Monsoon", "Autumn", "Spring", "Royal"),
                        ("Gold", "Bronze", "Pearl", "Scarlet", "Ivory"),
                        ("Select", "Standard", "Reserve", "Choice", "Special"),
                    )
                ),
            ),
            attributes=(
                Number(column="floor_price", noun="floor price", low=2, high=14, step=0.1, unit="euros per kilogram"),
                Number(
                    column="target_price", noun="target price", low=15, high=48, step=0.5, unit="euros per kilogram"
                ),
                Number(column="particle_size_mm", noun="particle size", low=0.3, high=14, step=0.1, unit="millimetres"),
                Category(
                    column="liquor_colour",
                    noun="liquor colour",
                    options=("amber", "copper", "pale gold", "dark red", "olive green"),
                    of="known for {} liquor",
                ),
                Flag(
                    column="approved_for_export",
                    noun="export approval",
                    yes=("is approved for export", "are approved for export"),
                    no=("is not approved for export", "are not approved for export"),
                    share=0.6,
                ),
            ),
        ),
        Entity(
            name="batch",
            one="batch",
            many="batches",
            rows="some",
            label=Label(column="lot_code", noun="lot code", names=Codes("LOT-####")),
            attributes=(
                Number(
                    column="withered_weight_kg", noun="withered weight", low=300, high=720, unit="kilograms", total=True
                ),
                Number(
                    column="dry_weight_kg", noun="dry weight", low=80, high=280, step=0.5, unit="kilograms", total=True
                ),
                Number(column="oxidation_min", noun="oxidation time", low=35, high=210, step=5, unit="minutes"),
                Category(
                    column="rolling_method",
                    noun="rolling method",
                    options=("machine rolling", "hand rolling", "rotor rolling"),
                    of="made by {}",
                ),
                Number(column="tasting_score", noun="tasting score", low=58, high=98, nulls=0.12),
                Day(
                    column="fired_on",
                    noun="firing date",
                    first=date(2022, 3, 1),
                    last=date(2023, 12, 15),
                    did=("was fired", "were fired"),
                ),
            ),
            links=(
                Link(
                    to="grade",
                    role="grade",
                    of="sorted into {}",
                    did=("was given to {}", "were given to {}"),
                    nulls=0.05,
                ),
            ),
        ),
        Entity(
            name="buyer",
            one="buyer",
            many="buyers",
            rows="some",
            label=Label(
                column="company_name",
                noun="company name",
                names=Made(
                    (
                        (
                            "Haldenby",
                            "Corvane",
                            "Tamsworth",
                            "Orleyne",
                            "Pellwick",
                            "Dunmarrow",
                            "Sarvik",
                            "Quenby",
                            "Mirabeck",
                            "Lostwith",
                            "Brannick",
                            "Velloway",
                            "Ashgrove",
                            "Zandriver",
                            "Ferncastle",
                        ),
                        (
                            "Trading",
                            "Imports",
                            "Tea House",
                            "Blenders",
                            "Leaf Company",
                            "Merchants",
                            "Brothers",
                            "Sisters",
                            "Provisions",
                            "Infusions",
                            "Wholesale",
                        ),
                    )
                ),
            ),
            attributes=(
                Category(
                    column="country",
                    noun="country",
                    nouns="countries",
                    options=("Germany", "Japan", "Morocco", "Canada", "Ireland", "Egypt"),
                    of="based in {}",
                ),
                Number(column="credit_limit", noun="credit limit", low=4000, high=120000, step=500, unit="euros"),
                Number(column="payment_term_days", noun="payment period", low=7, high=90, unit="days"),
                Day(
                    column="registered_on",
                    noun="registration date",
                    first=date(2008, 2, 1),
                    last=date(2022, 1, 31),
                    did=("was registered", "were registered"),
                ),
                Flag(
                    column="sends_inspector",
                    noun="own inspector",
                    yes=("sends an inspector", "send an inspector"),
                    no=("does not send an inspector", "do not send an inspector"),
                ),
            ),
        ),
        Entity(
            name="plucking",
            one="plucking",
            many="pluckings",
            rows="many",
            attributes=(
                Number(
                    column="green_leaf_kg",
                    noun="green leaf weight",
                    low=6,
                    high=58,
                    step=0.1,
                    unit="kilograms",
                    total=True,
                ),
                Category(
                    column="standard",
                    noun="plucking standard",
                    options=("two leaves and a bud", "one leaf and a bud", "three leaves and a bud", "coarse leaf"),
                    of="made up of {}",
                ),
                Day(
                    column="plucked_on",
                    noun="plucking date",
                    first=date(2022, 2, 20),
                    last=date(2023, 12, 10),
                    did="took place",
                ),
            ),
            links=(
                Link(to="field", role="field", of="on {}", did="had {}"),
                Link(to="plucker", role="plucker", of="done by {}", did="did {}"),
                Link(
                    to="batch",
                    role="batch",
                    of="used for {}",
                    did=("was made from {}", "were made from {}"),
                    nulls=0.1,
                ),
            ),
        ),
        Entity(
            name="purchase",
            one="purchase",
            many="purchases",
            rows="many",
            attributes=(
                Number(
                    column="quantity_kg",
                    noun="quantity",
                    nouns="quantities",
                    low=5,
                    high=90,
                    step=0.5,
                    unit="kilograms",
                    total=True,
                ),
                Number(column="asking_price", noun="asking price", low=3, high=42, step=0.1, unit="euros per kilogram"),
                Number(column="hammer_price", noun="hammer price", low=3, high=48, step=0.1, unit="euros per kilogram"),
                Day(
                    column="bought_on",
                    noun="purchase date",
                    first=date(2024, 1, 8),
                    last=date(2024, 12, 18),
                    did="took place",
                ),
            ),
            links=(
                Link(to="buyer", role="buyer", of="made by {}", did="made {}"),
                Link(
                    to="batch",
                    role="batch",
                    of="made from {}",
                    did=("was part of {}", "were part of {}"),
                ),
            ),
        ),
    ),
    bridges=(
        Bridge(
            entity="purchase",
            left="buyer",
            right="batch",
            left_did="bought tea from {}",
            right_did=("was sold to {}", "were sold to {}"),
        ),
        Bridge(
            entity="plucking",
            left="plucker",
            right="field",
            left_did="worked on {}",
            right_did=("was plucked by {}", "were plucked by {}"),
        ),
    ),
)
