CREATE TABLE cafe (
    cafe_code TEXT PRIMARY KEY CHECK (length(cafe_code) = 4),
    cafe_name TEXT NOT NULL,
    street TEXT NOT NULL,
    postcode TEXT NOT NULL CHECK (length(postcode) = 5),
    customer_since TEXT NOT NULL,
    discount_pct REAL NOT NULL DEFAULT 0 CHECK (discount_pct BETWEEN 0 AND 20),
    branch_of TEXT REFERENCES cafe (cafe_code)
);

CREATE TABLE delivery_round (
    round_no INTEGER PRIMARY KEY,
    round_name TEXT NOT NULL UNIQUE,
    leaves_at TEXT NOT NULL,
    driver TEXT
);

CREATE TABLE bakery_item (
    sku TEXT PRIMARY KEY CHECK (length(sku) = 4),
    item_name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('bread', 'roll', 'viennoiserie', 'cake')),
    weight_g INTEGER NOT NULL CHECK (weight_g > 0),
    list_price REAL NOT NULL CHECK (list_price > 0),
    dropped_on TEXT
);

CREATE TABLE ingredient (
    ingredient_id INTEGER PRIMARY KEY,
    ingredient_name TEXT NOT NULL UNIQUE,
    "Allergen" TEXT,
    supplier TEXT,
    price_per_kg REAL CHECK (price_per_kg > 0)
);

CREATE TABLE recipe_line (
    sku TEXT NOT NULL REFERENCES bakery_item (sku),
    ingredient_id INTEGER NOT NULL REFERENCES ingredient (ingredient_id),
    grams REAL NOT NULL CHECK (grams > 0),
    PRIMARY KEY (sku, ingredient_id)
);

CREATE TABLE batch (
    batch_no INTEGER PRIMARY KEY,
    sku TEXT NOT NULL REFERENCES bakery_item (sku),
    baked_on TEXT NOT NULL,
    oven TEXT,
    pieces_made INTEGER NOT NULL CHECK (pieces_made > 0),
    pieces_spoiled INTEGER CHECK (pieces_spoiled BETWEEN 0 AND pieces_made)
);

CREATE TABLE cafe_order (
    order_no INTEGER PRIMARY KEY,
    cafe_code TEXT NOT NULL REFERENCES cafe (cafe_code),
    round_no INTEGER REFERENCES delivery_round (round_no),
    "when" TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('delivered', 'collected', 'cancelled')),
    "Note" TEXT
);

CREATE TABLE order_line (
    "order" INTEGER NOT NULL REFERENCES cafe_order (order_no),
    sku TEXT NOT NULL REFERENCES bakery_item (sku),
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    unit_price REAL NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY ("order", sku)
);

CREATE TABLE return_note (
    return_no INTEGER PRIMARY KEY,
    order_no INTEGER NOT NULL,
    sku TEXT NOT NULL,
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    reason TEXT,
    credit REAL CHECK (credit >= 0),
    FOREIGN KEY (order_no, sku) REFERENCES order_line ("order", sku)
);
