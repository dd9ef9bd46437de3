CREATE TABLE coop_member (
    member_no TEXT PRIMARY KEY CHECK (length(member_no) = 5),
    display_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'household', 'club', 'company')),
    town TEXT NOT NULL,
    joined_on TEXT NOT NULL,
    left_on TEXT CHECK (left_on > joined_on),
    email TEXT
);

CREATE TABLE share_purchase (
    purchase_id INTEGER PRIMARY KEY,
    member_no TEXT NOT NULL REFERENCES coop_member (member_no),
    bought_on TEXT NOT NULL,
    shares INTEGER NOT NULL CHECK (shares > 0),
    price_cents INTEGER NOT NULL CHECK (price_cents > 0)
);

CREATE TABLE roof_plant (
    plant_code TEXT PRIMARY KEY CHECK (length(plant_code) = 3),
    plant_name TEXT NOT NULL UNIQUE,
    roof_owner TEXT,
    town TEXT NOT NULL,
    peak_kw REAL NOT NULL CHECK (peak_kw > 0),
    switched_on TEXT,
    "Tilt" INTEGER CHECK ("Tilt" BETWEEN 0 AND 60),
    extends_plant TEXT REFERENCES roof_plant (plant_code)
);

CREATE TABLE inverter (
    serial_no TEXT PRIMARY KEY CHECK (length(serial_no) = 8),
    plant_code TEXT NOT NULL REFERENCES roof_plant (plant_code),
    maker TEXT NOT NULL,
    rated_kw REAL NOT NULL CHECK (rated_kw > 0),
    fitted_on TEXT NOT NULL,
    removed_on TEXT CHECK (removed_on > fitted_on)
);

CREATE TABLE daily_yield (
    plant_code TEXT NOT NULL REFERENCES roof_plant (plant_code),
    day TEXT NOT NULL,
    kwh REAL CHECK (kwh >= 0),
    PRIMARY KEY (plant_code, day)
);

CREATE TABLE grid_statement (
    plant_code TEXT NOT NULL REFERENCES roof_plant (plant_code),
    "quarter" TEXT NOT NULL CHECK ("quarter" LIKE '____-Q_'),
    kwh_billed INTEGER NOT NULL CHECK (kwh_billed >= 0),
    credit_cents INTEGER NOT NULL CHECK (credit_cents >= 0),
    paid_on TEXT,
    PRIMARY KEY (plant_code, "quarter")
);

CREATE TABLE payout (
    payout_id INTEGER PRIMARY KEY,
    member_no TEXT NOT NULL REFERENCES coop_member (member_no),
    "for" INTEGER NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    sent_on TEXT
);

CREATE TABLE service_visit (
    visit_id INTEGER PRIMARY KEY,
    plant_code TEXT NOT NULL REFERENCES roof_plant (plant_code),
    serial_no TEXT REFERENCES inverter (serial_no),
    visited_on TEXT NOT NULL,
    firm TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('routine', 'fault', 'cleaning', 'storm', 'meter')),
    cost_cents INTEGER CHECK (cost_cents >= 0),
    "Findings" TEXT
);
