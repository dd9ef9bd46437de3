CREATE TABLE cafe_day (
    day_no INTEGER PRIMARY KEY,
    held_on TEXT NOT NULL UNIQUE,
    hall TEXT NOT NULL,
    motto TEXT,
    jar_eur REAL CHECK (jar_eur >= 0)
);

CREATE TABLE volunteer (
    volunteer_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    craft TEXT,
    since TEXT NOT NULL,
    stopped_on TEXT CHECK (stopped_on > since),
    phone TEXT,
    taught_by INTEGER REFERENCES volunteer (volunteer_id)
);

CREATE TABLE attendance (
    day_no INTEGER NOT NULL REFERENCES cafe_day (day_no),
    volunteer_id INTEGER NOT NULL REFERENCES volunteer (volunteer_id),
    job TEXT NOT NULL CHECK (job IN ('bench', 'desk', 'kitchen')),
    PRIMARY KEY (day_no, volunteer_id)
);

CREATE TABLE visitor (
    visitor_no INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    "postCode" TEXT CHECK (length("postCode") IN (0, 5)),
    born_year INTEGER,
    newsletter INTEGER NOT NULL CHECK (newsletter IN (0, 1))
);

CREATE TABLE item (
    item_id INTEGER PRIMARY KEY,
    day_no INTEGER NOT NULL REFERENCES cafe_day (day_no),
    visitor_no INTEGER NOT NULL REFERENCES visitor (visitor_no),
    "group" TEXT NOT NULL CHECK ("group" IN ('electrical', 'textile', 'bicycle', 'furniture', 'toy', 'other')),
    thing TEXT NOT NULL,
    brand TEXT,
    weight_kg REAL CHECK (weight_kg > 0),
    bought_year INTEGER
);

CREATE TABLE repair (
    repair_id INTEGER PRIMARY KEY,
    item_id INTEGER NOT NULL REFERENCES item (item_id),
    day_no INTEGER NOT NULL REFERENCES cafe_day (day_no),
    outcome TEXT NOT NULL CHECK (outcome IN ('fixed', 'half', 'hopeless', 'come back')),
    minutes INTEGER CHECK (minutes > 0),
    donation_eur REAL CHECK (donation_eur > 0),
    note TEXT
);

CREATE TABLE repair_hand (
    repair_id INTEGER NOT NULL REFERENCES repair (repair_id),
    volunteer_id INTEGER NOT NULL REFERENCES volunteer (volunteer_id),
    PRIMARY KEY (repair_id, volunteer_id)
);

CREATE TABLE part (
    part_code TEXT PRIMARY KEY CHECK (length(part_code) = 4),
    part_name TEXT NOT NULL,
    price_eur REAL CHECK (price_eur >= 0),
    in_stock INTEGER NOT NULL CHECK (in_stock >= 0)
);

CREATE TABLE part_used (
    repair_id INTEGER NOT NULL REFERENCES repair (repair_id),
    part_code TEXT NOT NULL REFERENCES part (part_code),
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (repair_id, part_code)
);
