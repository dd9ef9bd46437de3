CREATE TABLE garden_site (
    site_code TEXT PRIMARY KEY CHECK (length(site_code) = 2),
    site_name TEXT NOT NULL UNIQUE,
    opened_on TEXT NOT NULL,
    water_source TEXT
);

CREATE TABLE gardener (
    gardener_no INTEGER PRIMARY KEY,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    "memberSince" TEXT NOT NULL,
    postcode TEXT NOT NULL CHECK (length(postcode) = 5),
    phone TEXT,
    introduced_by INTEGER REFERENCES gardener (gardener_no)
);

CREATE TABLE plot (
    plot_id INTEGER PRIMARY KEY,
    site_code TEXT NOT NULL REFERENCES garden_site (site_code),
    plot_no TEXT NOT NULL,
    area_m2 REAL NOT NULL CHECK (area_m2 > 0),
    "Soil" TEXT,
    has_shed INTEGER NOT NULL DEFAULT 0 CHECK (has_shed IN (0, 1)),
    UNIQUE (site_code, plot_no)
);

CREATE TABLE lease (
    lease_id INTEGER PRIMARY KEY,
    plot_id INTEGER NOT NULL REFERENCES plot (plot_id),
    gardener_no INTEGER NOT NULL REFERENCES gardener (gardener_no),
    "from" TEXT NOT NULL,
    until TEXT CHECK (until > "from"),
    yearly_rent_cents INTEGER NOT NULL CHECK (yearly_rent_cents > 0)
);

CREATE TABLE crop (
    crop_id INTEGER PRIMARY KEY,
    crop_name TEXT NOT NULL UNIQUE,
    plant_family TEXT,
    perennial INTEGER NOT NULL CHECK (perennial IN (0, 1)),
    sow_month INTEGER CHECK (sow_month BETWEEN 1 AND 12)
);

CREATE TABLE planting (
    plot_id INTEGER NOT NULL REFERENCES plot (plot_id),
    crop_id INTEGER NOT NULL REFERENCES crop (crop_id),
    season INTEGER NOT NULL,
    yield_kg REAL CHECK (yield_kg >= 0),
    PRIMARY KEY (plot_id, crop_id, season)
);

CREATE TABLE inspection (
    inspection_id INTEGER PRIMARY KEY,
    plot_id INTEGER NOT NULL REFERENCES plot (plot_id),
    inspected_by INTEGER NOT NULL REFERENCES gardener (gardener_no),
    inspected_on TEXT NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('A', 'B', 'C', 'D')),
    fine_cents INTEGER CHECK (fine_cents > 0),
    "Remark" TEXT
);
