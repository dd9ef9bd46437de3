"""Turbines on several sites, the technicians who climb them, and what breaks."""

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
    Year,
)

DOMAIN = Domain(
    name="wind_farm",
    story="An operator of wind farms keeps book of its turbines, the technicians who climb them, and what breaks.",
    entities=(
        Entity(
            name="site",
            one="site",
            many="sites",
            rows="few",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Black", "Long", "Cold", "Raven", "Heather", "Saint Olav", "Grey", "Thorn", "Mill", "High"),
                        ("Fell", "Ridge", "Moor", "Bank", "Point", "Down", "Field", "Shoal"),
                        ("", "", "North", "South", "East"),
                    )
                ),
            ),
            attributes=(
                Category(
                    column="terrain",
                    noun="terrain type",
                    nouns="terrain types",
                    options=("moorland", "open sea", "farmland", "forest", "coastland"),
                    of="surrounded by {}",
                ),
                Number(column="elevation_m", noun="elevation", low=0, high=620, unit="metres"),
                Number(
                    column="mean_wind_ms",
                    noun="mean wind speed",
                    low=5.5,
                    high=11.5,
                    step=0.1,
                    unit="metres per second",
                ),
                Year(column="opened_in", noun="opening year", low=1998, high=2024, did="opened"),
                Flag(
                    column="has_battery",
                    noun="battery storage",
                    yes=("has battery storage", "have battery storage"),
                    no=("has no battery storage", "have no battery storage"),
                    share=0.3,
                ),
            ),
        ),
        Entity(
            name="turbine_model",
            one="turbine model",
            many="turbine models",
            rows="few",
            label=Label(
                column="model_name",
                noun="name",
                names=Made(
                    (
                        ("Aeolus", "Notus", "Kestrel", "Vinda", "Zephir", "Bora"),
                        ("80", "90", "110", "120", "140", "150"),
                        ("", "S", "XL", "Mk II", "R"),
                    )
                ),
            ),
            attributes=(
                Number(column="rated_power_kw", noun="power rating", low=600, high=8000, step=50, unit="kilowatts"),
                Number(column="rotor_diameter_m", noun="rotor diameter", low=52, high=178, unit="metres"),
                Category(
                    column="manufacturer",
                    noun="manufacturer",
                    options=("Nordvind", "Tramuntana", "Halcyon Works", "Borealis"),
                    of="made by {}",
                ),
                Flag(
                    column="is_gearless",
                    noun="gearless drive",
                    yes=("is gearless", "are gearless"),
                    no=("has a gearbox", "have a gearbox"),
                ),
            ),
        ),
        Entity(
            name="turbine",
            one="turbine",
            many="turbines",
            rows="some",
            label=Label(column="tag", noun="tag", names=Codes("WT-@##")),
            attributes=(
                Number(column="hub_height_m", noun="hub height", low=45, high=160, unit="metres"),
                Year(column="built_in", noun="construction year", low=1998, high=2024, did=("was built", "were built")),
                Category(
                    column="status",
                    noun="status",
                    nouns="statuses",
                    options=("running", "curtailed", "under repair", "stopped"),
                    of="currently {}",
                ),
                Number(
                    column="yearly_yield_mwh",
                    noun="yearly yield",
                    low=800,
                    high=26000,
                    unit="megawatt hours",
                    total=True,
                    nulls=0.08,
                ),
                Flag(
                    column="has_lift",
                    noun="service lift",
                    yes=("has a service lift", "have a service lift"),
                    no=("has no service lift", "have no service lift"),
                ),
            ),
            links=(
                Link(to="site", role="site", of="at {}", did=("has {}", "have {}")),
                Link(to="turbine_model", role="model", of="of {}", did=("is used for {}", "are used for {}")),
            ),
        ),
        Entity(
            name="technician",
            one="technician",
            many="technicians",
            rows="some",
            person=True,
            label=Label(column="name", noun="name", names=People()),
            attributes=(
                Category(
                    column="home_base",
                    noun="home base",
                    options=("Arnwick", "Port Sigrid", "Lowmoor", "Hestvik"),
                    of="based in {}",
                ),
                Number(column="day_rate", noun="day rate", low=180, high=520, step=5, unit="euros"),
                Day(
                    column="hired_on",
                    noun="hiring date",
                    first=date(2009, 1, 1),
                    last=date(2024, 6, 30),
                    did=("was hired", "were hired"),
                ),
                Number(
                    column="climbs",
                    noun="number of climbs",
                    nouns="numbers of climbs",
                    low=0,
                    high=900,
                    skew=2,
                    counted="climbs",
                    total=True,
                ),
                Flag(
                    column="sea_survival",
                    noun="sea survival training",
                    yes=("is trained in sea survival", "are trained in sea survival"),
                    no=("is not trained in sea survival", "are not trained in sea survival"),
                ),
            ),
            links=(Link(to="technician", role="mentor", of="mentored by {}", did="mentored {}", nulls=0.3),),
        ),
        Entity(
            name="certificate",
            one="certificate",
            many="certificates",
            rows="few",
            label=Label(
                column="title",
                noun="title",
                names=Made(
                    (
                        ("Basic", "Advanced", "Senior"),
                        (
                            "Rope Access",
                            "High Voltage",
                            "Blade Repair",
                            "First Aid",
                            "Hydraulics",
                            "Crane Signals",
                            "Fire Safety",
                        ),
                        ("", "", "A", "B"),
                        ("", "2019", "2022"),
                    )
                ),
            ),
            attributes=(
                Number(
                    column="valid_months",
                    noun="validity period",
                    nouns="validity periods",
                    low=6,
                    high=60,
                    step=6,
                    unit="months",
                ),
                Number(
                    column="course_fee",
                    noun="course fee",
                    low=90,
                    high=1900,
                    step=10,
                    unit="euros",
                    total=True,
                    adjectives=("more expensive", "cheaper", "most expensive", "cheapest"),
                ),
                Category(
                    column="issuer",
                    noun="issuer",
                    options=("Lindqvist Academy", "Coastal College", "the operator"),
                    of="issued by {}",
                ),
            ),
        ),
        Entity(
            name="qualification",
            one="qualification",
            many="qualifications",
            rows="many",
            attributes=(
                Day(
                    column="passed_on",
                    noun="exam date",
                    first=date(2012, 1, 1),
                    last=date(2024, 9, 30),
                    did=("was obtained", "were obtained"),
                ),
                Number(column="score", noun="score", low=50, high=100),
            ),
            links=(
                Link(to="technician", role="technician", of="held by {}", did=("holds {}", "hold {}")),
                Link(
                    to="certificate", role="certificate", of="for {}", did=("was awarded in {}", "were awarded in {}")
                ),
            ),
        ),
        Entity(
            name="service_visit",
            one="service visit",
            many="service visits",
            rows="many",
            attributes=(
                Day(
                    column="visited_on", noun="date", first=date(2022, 1, 1), last=date(2024, 12, 20), did="took place"
                ),
                Number(
                    column="hours",
                    noun="duration",
                    low=0.5,
                    high=14,
                    step=0.5,
                    unit="hours",
                    adjectives=("longer", "shorter", "longest", "shortest"),
                    total=True,
                ),
                Category(
                    column="purpose",
                    noun="purpose",
                    options=("inspection", "oil changing", "blade repair", "upgrading", "fault finding"),
                    of="made for {}",
                ),
                Number(
                    column="parts_cost",
                    noun="parts cost",
                    low=0,
                    high=18000,
                    step=0.5,
                    skew=3,
                    unit="euros",
                    total=True,
                    nulls=0.1,
                ),
            ),
            links=(
                Link(to="turbine", role="turbine", of="paid to {}", did=("received {}")),
                Link(to="technician", role="technician", of="led by {}", did="led {}"),
            ),
        ),
        Entity(
            name="fault",
            one="fault",
            many="faults",
            rows="many",
            label=Label(column="ticket", noun="ticket number", names=Codes("F-#####")),
            attributes=(
                Category(
                    column="component",
                    noun="component",
                    options=("gearbox", "pitch motor", "yaw drive", "converter", "blade", "sensor"),
                    of="in the {}",
                ),
                Number(
                    column="downtime_h", noun="downtime", low=0, high=240, step=0.5, skew=2.5, unit="hours", total=True
                ),
                Category(
                    column="severity",
                    noun="level of severity",
                    nouns="levels of severity",
                    options=("minor", "moderate", "serious", "critical"),
                    of="of {} severity",
                ),
                Day(
                    column="reported_on",
                    noun="report date",
                    first=date(2022, 1, 1),
                    last=date(2024, 12, 20),
                    did=("was reported", "were reported"),
                ),
            ),
            links=(
                Link(to="turbine", role="turbine", of="found at {}", did="had {}"),
                Link(to="service_visit", role="fixed_in_visit", of="fixed during {}", did="fixed {}", nulls=0.35),
            ),
        ),
    ),
    bridges=(
        Bridge(
            entity="qualification",
            left="technician",
            right="certificate",
            left_did=("holds {}", "hold {}"),
            right_did=("is held by {}", "are held by {}"),
        ),
    ),
)
