"""Reindeer herds on the move between pastures, with their herders, animals and head counts."""

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
    name="reindeer_herding",
    story="A herding association follows its reindeer from pasture to pasture and counts them on the way.",
    entities=(
        Entity(
            name="district",
            one="herding district",
            many="herding districts",
            rows="few",
            label=Label(column="name", noun="name", names=Places()),
            attributes=(
                Number(
                    column="area_km2",
                    noun="area",
                    low=380,
                    high=5200,
                    step=10,
                    unit="square kilometres",
                    adjectives=("larger", "smaller", "largest", "smallest"),
                    total=True,
                ),
                Number(
                    column="summer_quota", noun="summer quota", low=900, high=9000, step=50, unit="animals", total=True
                ),
                Number(
                    column="winter_quota", noun="winter quota", low=700, high=7500, step=50, unit="animals", total=True
                ),
                Category(
                    column="landscape",
                    noun="main landscape",
                    options=("birch forest", "tundra", "bare fell", "bog"),
                    of="dominated by {}",
                ),
                Year(
                    column="founded_in", noun="founding year", low=1886, high=1978, did=("was founded", "were founded")
                ),
                Flag(
                    column="borders_sea",
                    noun="sea coast",
                    yes=("borders the sea", "border the sea"),
                    no=("does not border the sea", "do not border the sea"),
                ),
            ),
        ),
        Entity(
            name="collar_model",
            one="collar model",
            many="collar models",
            rows="few",
            label=Label(
                column="model_name",
                noun="model name",
                names=Made(
                    (
                        ("Tracka", "Polvi", "Snowlink", "Farfell", "Herdmark", "Borealo"),
                        ("100", "200", "310", "450", "600"),
                        ("", "Lite", "Pro", "S", "Arctic"),
                    )
                ),
            ),
            attributes=(
                Number(
                    column="battery_months",
                    noun="battery running time",
                    nouns="battery running times",
                    low=6,
                    high=48,
                    unit="months",
                ),
                Number(
                    column="catalogue_price",
                    noun="catalogue price",
                    low=45,
                    high=420,
                    step=5,
                    unit="euros",
                    adjectives=("more expensive", "cheaper", "most expensive", "cheapest"),
                ),
                Number(
                    column="weight_g",
                    noun="weight",
                    low=120,
                    high=780,
                    step=5,
                    unit="grams",
                    adjectives=("heavier", "lighter", "heaviest", "lightest"),
                ),
                Category(
                    column="signal",
                    noun="type of signal",
                    nouns="types of signal",
                    options=("satellite", "mobile network", "radio"),
                    of="connected by {}",
                ),
                Flag(
                    column="has_mortality_alarm",
                    noun="mortality alarm",
                    yes=("has a mortality alarm", "have a mortality alarm"),
                    no=("has no mortality alarm", "have no mortality alarm"),
                ),
            ),
        ),
        Entity(
            name="herder",
            one="herder",
            many="herders",
            rows="some",
            person=True,
            label=Label(column="name", noun="name", names=People()),
            attributes=(
                Category(
                    column="transport",
                    noun="means of transport",
                    nouns="means of transport",
                    options=("snowmobile", "quad bike", "sledge", "helicopter"),
                    of="equipped with a {}",
                ),
                Number(
                    column="herding_dogs",
                    noun="number of herding dogs",
                    nouns="numbers of herding dogs",
                    low=0,
                    high=9,
                    counted="herding dogs",
                    total=True,
                ),
                Number(
                    column="meat_income", noun="meat income", low=3000, high=48000, step=100, unit="euros", total=True
                ),
                Number(
                    column="craft_income",
                    noun="craft income",
                    low=0,
                    high=16000,
                    step=100,
                    skew=2,
                    unit="euros",
                    total=True,
                    nulls=0.15,
                ),
                Year(column="birth_year", noun="birth year", low=1944, high=2002, did=("was born", "were born")),
                Flag(
                    column="has_drone_licence",
                    noun="drone licence",
                    yes=("has a drone licence", "have a drone licence"),
                    no=("has no drone licence", "have no drone licence"),
                    share=0.3,
                ),
            ),
            links=(
                Link(
                    to="district",
                    role="home_district",
                    of="based in {}",
                    did=("is home to {}", "are home to {}"),
                ),
            ),
        ),
        Entity(
            name="herd",
            one="herd",
            many="herds",
            rows="some",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Red", "White", "Blue", "Grey", "Black", "Yellow"),
                        ("Ribbon", "Collar", "Bell", "Lantern", "Feather", "Arrow"),
                        ("", "North", "South", "East", "West"),
                    )
                ),
            ),
            attributes=(
                Category(
                    column="earmark",
                    noun="earmark",
                    options=("notch", "swallowtail", "slit", "round hole"),
                    of="marked with a {}",
                ),
                Number(
                    column="feed_budget", noun="feed budget", low=500, high=26000, step=50, unit="euros", total=True
                ),
                Number(
                    column="vet_budget", noun="veterinary budget", low=200, high=7000, step=50, unit="euros", total=True
                ),
                Number(column="calving_rate_pct", noun="calving rate", low=48, high=96, unit="%", nulls=0.1),
                Year(
                    column="formed_in",
                    noun="year of formation",
                    nouns="years of formation",
                    low=1979,
                    high=2019,
                    did=("was formed", "were formed"),
                ),
                Flag(
                    column="is_fed_in_winter",
                    noun="winter feeding",
                    nouns="winter feeding",
                    yes=("is fed in winter", "are fed in winter"),
                    no=("is not fed in winter", "are not fed in winter"),
                ),
            ),
            links=(Link(to="herder", role="owner", of="owned by {}", did=("owns {}", "own {}")),),
        ),
        Entity(
            name="reindeer",
            one="animal",
            many="animals",
            rows="some",
            label=Label(column="ear_tag", noun="ear tag", names=Codes("@@-####")),
            attributes=(
                Number(
                    column="weight_kg",
                    noun="weight",
                    low=46,
                    high=168,
                    step=0.5,
                    unit="kilograms",
                    adjectives=("heavier", "lighter", "heaviest", "lightest"),
                    total=True,
                ),
                Category(
                    column="coat_colour",
                    noun="coat colour",
                    options=("grey-brown", "dark brown", "piebald", "white"),
                    of="{} in colour",
                ),
                Number(
                    column="antler_points",
                    noun="number of antler points",
                    nouns="numbers of antler points",
                    low=2,
                    high=34,
                    counted="antler points",
                    nulls=0.12,
                ),
                Year(column="birth_year", noun="birth year", low=2009, high=2023, did=("was born", "were born")),
                Day(
                    column="vaccinated_on",
                    noun="vaccination date",
                    first=date(2023, 9, 1),
                    last=date(2024, 11, 15),
                    did=("was vaccinated", "were vaccinated"),
                    nulls=0.2,
                ),
                Flag(
                    column="pulls_sledge",
                    noun="sledge training",
                    nouns="sledge training",
                    yes=("is trained to pull a sledge", "are trained to pull a sledge"),
                    no=("is not trained to pull a sledge", "are not trained to pull a sledge"),
                    share=0.25,
                ),
            ),
            links=(
                Link(to="herd", role="herd", of="in {}", did=("contains {}", "contain {}")),
                Link(to="reindeer", role="mother", of="born to {}", did="gave birth to {}", nulls=0.35),
                Link(
                    to="collar_model",
                    role="collar_model",
                    of="fitted with {}",
                    did=("is worn by {}", "are worn by {}"),
                    nulls=0.3,
                ),
            ),
        ),
        Entity(
            name="pasture",
            one="pasture",
            many="pastures",
            rows="some",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Lichen", "Willow", "Sorrel", "Cloudberry", "Sedge", "Juniper", "Crane", "Fox"),
                        ("Hollow", "Plateau", "Shore", "Ridge", "Mire"),
                        ("", "Upper", "Lower", "Outer"),
                    )
                ),
            ),
            attributes=(
                Category(
                    column="season",
                    noun="grazing season",
                    options=("summer", "winter", "autumn", "spring"),
                    of="grazed in {}",
                ),
                Number(
                    column="area_km2",
                    noun="area",
                    low=3,
                    high=210,
                    step=0.5,
                    unit="square kilometres",
                    adjectives=("larger", "smaller", "largest", "smallest"),
                    total=True,
                ),
                Number(
                    column="lichen_cover_pct",
                    noun="lichen cover",
                    low=4,
                    high=88,
                    unit="%",
                    nulls=0.1,
                    nouns="lichen cover figures",
                ),
                Number(column="snow_depth_cm", noun="snow depth", low=10, high=165, unit="centimetres"),
                Number(
                    column="yearly_lease", noun="yearly lease", low=200, high=9800, step=20, unit="euros", total=True
                ),
                Flag(
                    column="is_fenced",
                    noun="fence",
                    yes=("is fenced", "are fenced"),
                    no=("is not fenced", "are not fenced"),
                ),
            ),
            links=(Link(to="district", role="district", of="in {}", did=("contains {}", "contain {}")),),
        ),
        Entity(
            name="migration",
            one="migration",
            many="migrations",
            rows="many",
            attributes=(
                Number(
                    column="distance_km",
                    noun="distance",
                    low=12,
                    high=310,
                    unit="kilometres",
                    adjectives=("longer", "shorter", "longest", "shortest"),
                    total=True,
                ),
                Number(
                    column="rest_days",
                    noun="number of rest days",
                    nouns="numbers of rest days",
                    low=0,
                    high=16,
                    counted="rest days",
                    total=True,
                ),
                Number(
                    column="lost_animals",
                    noun="number of lost animals",
                    nouns="numbers of lost animals",
                    low=0,
                    high=24,
                    skew=2.5,
                    counted="lost animals",
                    total=True,
                ),
                Day(
                    column="set_off_on",
                    noun="departure date",
                    first=date(2021, 3, 1),
                    last=date(2024, 11, 20),
                    did="set off",
                ),
            ),
            links=(
                Link(to="herd", role="herd", of="made by {}", did="made {}"),
                Link(
                    to="pasture",
                    role="start_pasture",
                    of="begun at {}",
                    did=("was the starting point of {}", "were the starting point of {}"),
                ),
                Link(
                    to="pasture",
                    role="end_pasture",
                    of="bound for {}",
                    did=("was the destination of {}", "were the destination of {}"),
                ),
                Link(to="herder", role="leader", of="led by {}", did="led {}", nulls=0.05),
            ),
        ),
        Entity(
            name="head_count",
            one="head count",
            many="head counts",
            rows="many",
            attributes=(
                Number(
                    column="adults",
                    noun="number of adults",
                    nouns="numbers of adults",
                    low=40,
                    high=1400,
                    counted="adults",
                ),
                Number(
                    column="calves",
                    noun="number of calves",
                    nouns="numbers of calves",
                    low=5,
                    high=620,
                    counted="calves",
                ),
                Category(
                    column="viewpoint",
                    noun="viewpoint",
                    options=("a corral fence", "a drone", "a snowmobile", "a helicopter"),
                    of="made from {}",
                ),
                Day(
                    column="counted_on",
                    noun="counting date",
                    first=date(2021, 1, 10),
                    last=date(2024, 12, 5),
                    did="took place",
                ),
            ),
            links=(
                Link(to="herd", role="herd", of="taken of {}", did="underwent {}"),
                Link(to="herder", role="counter", of="carried out by {}", did="carried out {}", nulls=0.08),
            ),
        ),
        Entity(
            name="herding_contract",
            one="herding contract",
            many="herding contracts",
            rows="many",
            attributes=(
                Number(
                    column="monthly_wage",
                    noun="monthly wage",
                    nouns="monthly wages",
                    low=900,
                    high=3100,
                    step=10,
                    unit="euros",
                    total=True,
                ),
                Number(
                    column="meat_share_kg", noun="meat share", low=0, high=140, step=5, unit="kilograms", total=True
                ),
                Day(
                    column="signed_on",
                    noun="signing date",
                    first=date(2019, 1, 7),
                    last=date(2021, 12, 20),
                    did=("was signed", "were signed"),
                ),
                Day(
                    column="ended_on",
                    noun="end date",
                    first=date(2022, 1, 31),
                    last=date(2024, 12, 31),
                    did="ended",
                    nulls=0.25,
                ),
            ),
            links=(
                Link(to="herder", role="herder", of="held by {}", did=("holds {}", "hold {}")),
                Link(
                    to="herd",
                    role="herd",
                    of="for {}",
                    did=("is covered by {}", "are covered by {}"),
                ),
            ),
        ),
    ),
    bridges=(
        Bridge(
            entity="herding_contract",
            left="herder",
            right="herd",
            left_did=("tends {}", "tend {}"),
            right_did=("is tended by {}", "are tended by {}"),
        ),
    ),
)
