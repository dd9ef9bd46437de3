CREATE TABLE rescue_post (
    post_code TEXT PRIMARY KEY,
    post_name TEXT NOT NULL,
    valley TEXT NOT NULL,
    altitude_m INTEGER NOT NULL,
    founded_year INTEGER NOT NULL
);

CREATE TABLE rescuer (
    rescuer_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    post_code TEXT NOT NULL REFERENCES rescue_post (post_code),
    joined_on TEXT NOT NULL,
    left_on TEXT CHECK (left_on > joined_on),
    "bloodGroup" TEXT,
    email TEXT,
    mentor_id INTEGER REFERENCES rescuer (rescuer_id)
);

CREATE TABLE skill (
    skill_code TEXT PRIMARY KEY,
    skill_name TEXT NOT NULL,
    valid_years INTEGER CHECK (valid_years > 0)
);

CREATE TABLE rescuer_skill (
    rescuer_id INTEGER NOT NULL REFERENCES rescuer (rescuer_id),
    skill_code TEXT NOT NULL REFERENCES skill (skill_code),
    earned_on TEXT NOT NULL,
    PRIMARY KEY (rescuer_id, skill_code)
);

CREATE TABLE callout (
    callout_no TEXT PRIMARY KEY,
    post_code TEXT NOT NULL REFERENCES rescue_post (post_code),
    alarm_at TEXT NOT NULL,
    closed_at TEXT NOT NULL CHECK (closed_at > alarm_at),
    activity TEXT,
    place TEXT NOT NULL,
    weather TEXT,
    helicopter INTEGER NOT NULL CHECK (helicopter IN (0, 1)),
    "falseAlarm" INTEGER NOT NULL CHECK ("falseAlarm" IN (0, 1)),
    cost_eur REAL
);

CREATE TABLE callout_crew (
    callout_no TEXT NOT NULL REFERENCES callout (callout_no),
    rescuer_id INTEGER NOT NULL REFERENCES rescuer (rescuer_id),
    duty TEXT NOT NULL CHECK (duty IN ('leader', 'medic', 'rope', 'driver', 'search', 'radio')),
    hours REAL NOT NULL CHECK (hours > 0),
    PRIMARY KEY (callout_no, rescuer_id)
);

CREATE TABLE casualty (
    casualty_id INTEGER PRIMARY KEY,
    callout_no TEXT NOT NULL REFERENCES callout (callout_no),
    age INTEGER CHECK (age BETWEEN 0 AND 110),
    home_country TEXT,
    injury TEXT,
    severity INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 7)
);

CREATE TABLE gift (
    gift_id INTEGER PRIMARY KEY,
    post_code TEXT NOT NULL REFERENCES rescue_post (post_code),
    giver TEXT NOT NULL,
    "when" TEXT NOT NULL,
    amount_eur REAL NOT NULL CHECK (amount_eur > 0),
    purpose TEXT
);
