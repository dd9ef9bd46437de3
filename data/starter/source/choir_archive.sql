CREATE TABLE voice_group (
    voice_code TEXT PRIMARY KEY,
    voice_name TEXT NOT NULL UNIQUE,
    "row" INTEGER CHECK ("row" BETWEEN 1 AND 4)
);

CREATE TABLE singer (
    singer_no INTEGER PRIMARY KEY,
    first_name TEXT NOT NULL,
    surname TEXT NOT NULL,
    voice_code TEXT NOT NULL REFERENCES voice_group (voice_code),
    joined_on TEXT NOT NULL,
    left_on TEXT CHECK (left_on > joined_on),
    email TEXT,
    section_leader INTEGER REFERENCES singer (singer_no)
);

CREATE TABLE work (
    shelf_mark TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    "Composer" TEXT,
    year_written INTEGER,
    sung_in TEXT,
    minutes REAL CHECK (minutes > 0),
    copies INTEGER NOT NULL CHECK (copies >= 0),
    arranged_from TEXT REFERENCES work (shelf_mark)
);

CREATE TABLE concert (
    concert_id INTEGER PRIMARY KEY,
    held_on TEXT NOT NULL,
    motto TEXT,
    venue TEXT NOT NULL,
    conductor TEXT NOT NULL,
    audience INTEGER CHECK (audience > 0),
    collection_eur REAL
);

CREATE TABLE programme (
    concert_id INTEGER NOT NULL REFERENCES concert (concert_id),
    place INTEGER NOT NULL CHECK (place > 0),
    shelf_mark TEXT NOT NULL REFERENCES work (shelf_mark),
    soloist INTEGER REFERENCES singer (singer_no),
    PRIMARY KEY (concert_id, place)
);

CREATE TABLE lineup (
    concert_id INTEGER NOT NULL REFERENCES concert (concert_id),
    singer_no INTEGER NOT NULL REFERENCES singer (singer_no),
    PRIMARY KEY (concert_id, singer_no)
);

CREATE TABLE loan (
    loan_id INTEGER PRIMARY KEY,
    shelf_mark TEXT NOT NULL REFERENCES work (shelf_mark),
    copy_no TEXT NOT NULL CHECK (length(copy_no) = 3),
    singer_no INTEGER NOT NULL REFERENCES singer (singer_no),
    lent_on TEXT NOT NULL,
    due_on TEXT NOT NULL CHECK (due_on > lent_on),
    returned_on TEXT CHECK (returned_on >= lent_on),
    "state" TEXT
);
