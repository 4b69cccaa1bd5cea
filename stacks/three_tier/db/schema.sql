-- Run once, when the database is created.
CREATE TABLE messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL CHECK (text <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO messages (text) VALUES ('Hello from the database.');
