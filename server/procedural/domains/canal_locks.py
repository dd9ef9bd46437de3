"""Locks along several canals, the boats that pass them, the keepers, the tolls and the repairs."""

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
    Listed,
    Made,
    Number,
    People,
    Year,
)

DOMAIN = Domain(
    name="canal_locks",
    story="A canal trust looks after its locks, writes down which boats pass them, and collects the tolls.",
    entities=(
        Entity(
            name="canal",
            one="canal",
            many="canals",
            rows="few",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Old", "New", "Upper", "Lower", "Great", "Little"),
                        ("Wessen", "Harrowmere", "Tarnock", "Millbeck", "Salterne", "Ebbingham", "Corleyford"),
                        ("Canal", "Cut", "Navigation", "Branch"),
                    )
                ),
            ),
            attributes=(
                Number(
                    column="length_km",
                    noun="length",
                    low=4,
                    high=148,
                    step=0.5,
                    unit="kilometres",
                    adjectives=("longer", "shorter", "longest", "shortest"),
                    total=True,
                ),
                Number(
                    column="speed_limit_kmh", noun="speed limit", low=4, high=10, step=0.5, unit="kilometres per hour"
                ),
                Year(column="opened_in", noun="opening year", low=1768, high=1861, did="opened"),
                Category(
                    column="water_source",
                    noun="water source",
                    options=("reservoirs", "springs", "a river", "pumps"),
                    of="fed by {}",
                ),
                Flag(
                    column="freezes",
                    noun="winter freezing",
                    yes=("freezes in winter", "freeze in winter"),
                    no=("does not freeze in winter", "do not freeze in winter"),
                ),
            ),
        ),
        Entity(
            name="toll_class",
            one="toll class",
            many="toll classes",
            rows="few",
            label=Label(
                column="code",
                noun="code",
                names=Listed(("A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3", "D1", "D2", "E1")),
            ),
            attributes=(
                Number(column="lock_fee", noun="lock fee", low=2, high=30, step=0.5, unit="euros"),
                Number(column="yearly_permit", noun="yearly permit price", low=120, high=1900, step=10, unit="euros"),
                Number(
                    column="free_mooring_days",
                    noun="number of free mooring days",
                    nouns="numbers of free mooring days",
                    low=0,
                    high=30,
                    counted="free mooring days",
                ),
                Category(
                    column="vessel_use",
                    noun="vessel use",
                    options=("leisure", "freight", "residential use", "ferry services"),
                    of="meant for {}",
                ),
                Flag(
                    column="night_travel",
                    noun="night travel",
                    yes=("allows night travel", "allow night travel"),
                    no=("does not allow night travel", "do not allow night travel"),
                ),
            ),
        ),
        Entity(
            name="contractor",
            one="contractor",
            many="contractors",
            rows="few",
            label=Label(
                column="company_name",
                noun="company name",
                names=Made(
                    (
                        ("Harbrook", "Tolmarsh", "Pinnacott", "Wexcombe", "Sarnley", "Dravin", "Ottermoor", "Quillane"),
                        ("Dredging", "Masonry", "Ironworks", "Timber", "Hydraulics"),
                        ("", "Limited", "Partners", "Group"),
                    )
                ),
            ),
            attributes=(
                Number(column="callout_fee", noun="call-out fee", low=60, high=480, step=5, unit="euros"),
                Number(
                    column="cancellation_fee",
                    noun="cancellation fee",
                    low=20,
                    high=300,
                    step=5,
                    unit="euros",
                    nulls=0.15,
                ),
                Number(
                    column="work_barges",
                    noun="number of work barges",
                    nouns="numbers of work barges",
                    low=0,
                    high=14,
                    counted="work barges",
                    total=True,
                ),
                Year(
                    column="founded_in", noun="founding year", low=1921, high=2015, did=("was founded", "were founded")
                ),
                Flag(
                    column="has_divers",
                    noun="divers",
                    nouns="divers",
                    yes=("employs divers", "employ divers"),
                    no=("employs no divers", "employ no divers"),
                ),
            ),
        ),
        Entity(
            name="lock_keeper",
            one="lock keeper",
            many="lock keepers",
            rows="some",
            person=True,
            label=Label(column="name", noun="name", names=People()),
            attributes=(
                Category(
                    column="shift",
                    noun="shift",
                    options=("early", "late", "split", "night"),
                    of="on the {} shift",
                ),
                Number(
                    column="monthly_salary",
                    noun="monthly salary",
                    nouns="monthly salaries",
                    low=1850,
                    high=3600,
                    step=10,
                    unit="euros",
                    total=True,
                ),
                Number(
                    column="boat_allowance",
                    noun="boat allowance",
                    low=40,
                    high=320,
                    step=5,
                    unit="euros",
                    total=True,
                    nulls=0.15,
                ),
                Day(
                    column="appointed_on",
                    noun="appointment date",
                    first=date(1996, 4, 1),
                    last=date(2021, 10, 31),
                    did=("was appointed", "were appointed"),
                ),
                Flag(
                    column="lives_in_cottage",
                    noun="lock cottage",
                    yes=("lives in a lock cottage", "live in a lock cottage"),
                    no=("does not live in a lock cottage", "do not live in a lock cottage"),
                ),
            ),
            links=(
                Link(
                    to="lock_keeper",
                    role="relief_keeper",
                    of="relieved by {}",
                    did=("relieves {}", "relieve {}"),
                    nulls=0.2,
                ),
            ),
        ),
        Entity(
            name="lock",
            one="lock",
            many="locks",
            rows="some",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Otter", "Abbey", "Withy", "Mill", "Chapel", "Gibbet", "Swan", "Hazel"),
                        ("Bridge", "Hill", "Meadow", "Weir", "Lane"),
                        ("", "Top", "Middle", "Bottom"),
                    )
                ),
            ),
            attributes=(
                Number(column="chamber_length_m", noun="chamber length", low=18, high=92, step=0.5, unit="metres"),
                Number(column="chamber_width_m", noun="chamber width", low=2.2, high=12.4, step=0.1, unit="metres"),
                Number(column="rise_m", noun="rise", low=0.6, high=6.8, step=0.1, unit="metres", total=True),
                Category(
                    column="gate_material",
                    noun="gate material",
                    options=("oak", "steel", "greenheart", "larch"),
                    of="fitted with {} gates",
                ),
                Year(
                    column="rebuilt_in",
                    noun="rebuilding year",
                    low=1884,
                    high=2019,
                    did=("was rebuilt", "were rebuilt"),
                    nulls=0.1,
                ),
                Flag(
                    column="is_electric",
                    noun="electric operation",
                    yes=("is operated electrically", "are operated electrically"),
                    no=("is operated by hand", "are operated by hand"),
                ),
            ),
            links=(
                Link(to="canal", role="canal", of="on {}", did=("has {}", "have {}")),
                Link(to="lock_keeper", role="keeper", of="tended by {}", did=("tends {}", "tend {}"), nulls=0.12),
            ),
        ),
        Entity(
            name="boat",
            one="boat",
            many="boats",
            rows="some",
            label=Label(
                column="name",
                noun="name",
                names=Made(
                    (
                        ("Silver", "Jolly", "Morning", "Ruby", "Wandering", "Lady", "Little", "Merry"),
                        ("Lily", "Otter", "Star", "Moth", "Minnow", "Daisy", "Kingfisher"),
                        ("", "II", "III"),
                    )
                ),
            ),
            attributes=(
                Number(
                    column="length_m",
                    noun="length",
                    low=6,
                    high=29,
                    step=0.1,
                    unit="metres",
                    adjectives=("longer", "shorter", "longest", "shortest"),
                    total=True,
                ),
                Number(column="draught_m", noun="draught", low=0.4, high=1.7, step=0.05, unit="metres", nulls=0.08),
                Category(
                    column="hull_material",
                    noun="hull material",
                    options=("steel", "fibreglass", "oak", "iron"),
                    of="built of {}",
                ),
                Number(
                    column="berths",
                    noun="number of berths",
                    nouns="numbers of berths",
                    low=0,
                    high=12,
                    counted="berths",
                    total=True,
                ),
                Year(
                    column="launched_in", noun="launch year", low=1908, high=2014, did=("was launched", "were launched")
                ),
                Day(
                    column="registered_on",
                    noun="registration date",
                    first=date(2015, 3, 1),
                    last=date(2021, 11, 30),
                    did=("was registered", "were registered"),
                ),
            ),
            links=(
                Link(
                    to="toll_class",
                    role="toll_class",
                    of="in {}",
                    did=("is assigned to {}", "are assigned to {}"),
                ),
            ),
        ),
        Entity(
            name="passage",
            one="passage",
            many="passages",
            rows="many",
            label=Label(column="log_number", noun="log number", names=Codes("PL-#####")),
            attributes=(
                Number(column="waiting_min", noun="waiting time", low=0, high=150, skew=2, unit="minutes", total=True),
                Number(column="locking_min", noun="locking time", low=7, high=42, unit="minutes", total=True),
                Category(
                    column="weather",
                    noun="kind of weather",
                    nouns="kinds of weather",
                    options=("sunshine", "rain", "fog", "strong wind", "snow"),
                    of="made in {}",
                ),
                Day(
                    column="passed_on",
                    noun="passage date",
                    first=date(2022, 4, 1),
                    last=date(2024, 10, 31),
                    did="took place",
                ),
            ),
            links=(
                Link(to="boat", role="boat", of="completed by {}", did="completed {}"),
                Link(to="lock", role="lock", of="through {}", did="saw {}"),
            ),
        ),
        Entity(
            name="toll_payment",
            one="toll payment",
            many="toll payments",
            rows="many",
            attributes=(
                Number(column="base_toll", noun="base toll", low=3, high=48, step=0.5, unit="euros", total=True),
                Number(
                    column="late_surcharge",
                    noun="late surcharge",
                    low=0,
                    high=16,
                    step=0.5,
                    skew=2,
                    unit="euros",
                    total=True,
                ),
                Category(
                    column="method",
                    noun="method of payment",
                    nouns="methods of payment",
                    options=("card", "bank transfer", "voucher", "cheque"),
                    of="made by {}",
                ),
                Day(
                    column="received_on",
                    noun="receipt date",
                    first=date(2022, 4, 1),
                    last=date(2024, 12, 31),
                    did=("was received", "were received"),
                ),
            ),
            links=(
                Link(to="passage", role="passage", of="for {}", did="led to {}"),
                Link(to="lock_keeper", role="collector", of="collected by {}", did="collected {}", nulls=0.2),
            ),
        ),
        Entity(
            name="repair",
            one="repair",
            many="repairs",
            rows="many",
            label=Label(column="job_number", noun="job number", names=Codes("JOB-####")),
            attributes=(
                Number(
                    column="labour_cost",
                    noun="labour cost",
                    low=180,
                    high=24000,
                    step=10,
                    skew=2,
                    unit="euros",
                    total=True,
                ),
                Number(
                    column="material_cost",
                    noun="material cost",
                    low=40,
                    high=31000,
                    step=10,
                    skew=2,
                    unit="euros",
                    total=True,
                    nulls=0.08,
                ),
                Day(
                    column="ordered_on",
                    noun="order date",
                    first=date(2021, 1, 4),
                    last=date(2022, 9, 30),
                    did=("was ordered", "were ordered"),
                ),
                Day(
                    column="completed_on",
                    noun="completion date",
                    first=date(2022, 10, 3),
                    last=date(2024, 11, 29),
                    did=("was completed", "were completed"),
                    nulls=0.15,
                ),
            ),
            links=(
                Link(to="lock", role="lock", of="done on {}", did="underwent {}"),
                Link(to="contractor", role="contractor", of="carried out by {}", did="carried out {}"),
            ),
        ),
    ),
    bridges=(
        Bridge(
            entity="passage",
            left="boat",
            right="lock",
            left_did="passed through {}",
            right_did=("was used by {}", "were used by {}"),
        ),
        Bridge(
            entity="repair",
            left="contractor",
            right="lock",
            left_did="repaired {}",
            right_did=("was repaired by {}", "were repaired by {}"),
        ),
    ),
)
