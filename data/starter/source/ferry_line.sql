CREATE TABLE harbour (
    harbour_code TEXT PRIMARY KEY CHECK (length(harbour_code) = 3),
    harbour_name TEXT NOT NULL,
    island TEXT,
    quay_depth_m REAL CHECK (quay_depth_m > 0),
    ticket_office INTEGER NOT NULL CHECK (ticket_office IN (0, 1))
);

CREATE TABLE vessel (
    vessel_id INTEGER PRIMARY KEY,
    vessel_name TEXT NOT NULL,
    built_year INTEGER NOT NULL,
    passenger_limit INTEGER NOT NULL CHECK (passenger_limit > 0),
    car_spaces INTEGER NOT NULL CHECK (car_spaces >= 0),
    "callSign" TEXT,
    sold_on TEXT,
    replaced_by INTEGER REFERENCES vessel (vessel_id)
);

CREATE TABLE route (
    route_no TEXT PRIMARY KEY CHECK (length(route_no) = 3),
    from_harbour TEXT NOT NULL REFERENCES harbour (harbour_code),
    to_harbour TEXT NOT NULL REFERENCES harbour (harbour_code) CHECK (to_harbour <> from_harbour),
    distance_nm REAL NOT NULL CHECK (distance_nm > 0),
    planned_minutes INTEGER NOT NULL CHECK (planned_minutes > 0),
    summer_only INTEGER NOT NULL CHECK (summer_only IN (0, 1))
);

CREATE TABLE fare_class (
    fare_code TEXT PRIMARY KEY,
    label TEXT NOT NULL UNIQUE,
    is_vehicle INTEGER NOT NULL CHECK (is_vehicle IN (0, 1))
);

CREATE TABLE fare (
    route_no TEXT NOT NULL REFERENCES route (route_no),
    fare_code TEXT NOT NULL REFERENCES fare_class (fare_code),
    valid_from TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
    PRIMARY KEY (route_no, fare_code, valid_from)
);

CREATE TABLE sailing (
    sailing_id INTEGER PRIMARY KEY,
    route_no TEXT NOT NULL REFERENCES route (route_no),
    vessel_id INTEGER NOT NULL REFERENCES vessel (vessel_id),
    planned_at TEXT NOT NULL,
    left_at TEXT,
    arrived_at TEXT CHECK (arrived_at > left_at),
    "cancelReason" TEXT,
    CHECK ((left_at IS NULL) = (arrived_at IS NULL))
);

CREATE TABLE ticket (
    ticket_id INTEGER PRIMARY KEY,
    booking_ref TEXT NOT NULL CHECK (length(booking_ref) = 6),
    sailing_id INTEGER NOT NULL REFERENCES sailing (sailing_id),
    fare_code TEXT NOT NULL REFERENCES fare_class (fare_code),
    paid_cents INTEGER NOT NULL CHECK (paid_cents >= 0),
    sold_via TEXT,
    refunded_cents INTEGER CHECK (refunded_cents BETWEEN 1 AND paid_cents)
);

CREATE TABLE crew_member (
    crew_no INTEGER PRIMARY KEY,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    hired_on TEXT NOT NULL,
    left_on TEXT CHECK (left_on > hired_on),
    home_harbour TEXT REFERENCES harbour (harbour_code),
    licence_no TEXT
);

CREATE TABLE duty (
    sailing_id INTEGER NOT NULL REFERENCES sailing (sailing_id),
    crew_no INTEGER NOT NULL REFERENCES crew_member (crew_no),
    "as" TEXT NOT NULL CHECK ("as" IN ('master', 'mate', 'engineer', 'deckhand', 'purser')),
    PRIMARY KEY (sailing_id, crew_no)
);
