CREATE TABLE taxon (
    taxon_id INTEGER PRIMARY KEY,
    parent_id INTEGER REFERENCES taxon (taxon_id),
    "rank" TEXT NOT NULL CHECK ("rank" IN ('family', 'genus', 'species')),
    latin_name TEXT NOT NULL UNIQUE,
    common_name TEXT,
    threatened INTEGER CHECK (threatened IN (0, 1)),
    CHECK (("rank" = 'family') = (parent_id IS NULL))
);

CREATE TABLE observer (
    observer_code TEXT PRIMARY KEY CHECK (length(observer_code) = 4),
    full_name TEXT NOT NULL,
    "group" TEXT,
    first_season INTEGER NOT NULL,
    email TEXT
);

CREATE TABLE transect (
    transect_code TEXT PRIMARY KEY CHECK (length(transect_code) = 3),
    place TEXT NOT NULL,
    habitat TEXT,
    length_m INTEGER NOT NULL CHECK (length_m > 0),
    set_up_on TEXT NOT NULL,
    given_up_on TEXT CHECK (given_up_on > set_up_on)
);

CREATE TABLE flower (
    flower_code TEXT PRIMARY KEY CHECK (length(flower_code) = 3),
    flower_name TEXT NOT NULL UNIQUE,
    colour TEXT,
    native INTEGER NOT NULL CHECK (native IN (0, 1))
);

CREATE TABLE walk (
    walk_id INTEGER PRIMARY KEY,
    transect_code TEXT NOT NULL REFERENCES transect (transect_code),
    observer_code TEXT NOT NULL REFERENCES observer (observer_code),
    walked_on TEXT NOT NULL,
    started_at TEXT NOT NULL CHECK (length(started_at) = 5),
    minutes INTEGER CHECK (minutes > 0),
    "brokenOff" INTEGER NOT NULL DEFAULT 0 CHECK ("brokenOff" IN (0, 1))
);

CREATE TABLE walk_weather (
    walk_id INTEGER PRIMARY KEY REFERENCES walk (walk_id),
    temp_c REAL,
    wind_bft INTEGER CHECK (wind_bft BETWEEN 0 AND 12),
    cloud_pct INTEGER CHECK (cloud_pct BETWEEN 0 AND 100)
);

CREATE TABLE sighting (
    sighting_id INTEGER PRIMARY KEY,
    walk_id INTEGER NOT NULL REFERENCES walk (walk_id),
    taxon_id INTEGER NOT NULL REFERENCES taxon (taxon_id),
    flower_code TEXT REFERENCES flower (flower_code),
    individuals INTEGER NOT NULL CHECK (individuals > 0),
    checked_by TEXT REFERENCES observer (observer_code),
    remark TEXT
);
