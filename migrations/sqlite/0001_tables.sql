-- What Letterbox keeps, the same as on Postgres. Every key begins with the tenant; every row belongs to one.
--
-- Times are microseconds since 1970; `number`s of users are the tenant's own (people are named by
-- their ids in `users` alone); `position`s are places in the tenant's log. Ids are 16 bytes.

-- One row: the secret that proves tokens, the same for all replicas.
CREATE TABLE deployment (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    token_key BLOB NOT NULL
) STRICT;
INSERT INTO deployment (one, token_key)
VALUES (1, randomblob(32));

-- A row a tenant. Whoever writes holds its lock until the commit: that is a writer's turn.
CREATE TABLE log_heads (
    tenant TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    tenant TEXT NOT NULL,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    first_name TEXT NOT NULL DEFAULT '',
    last_name TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    -- When the profile was told (a token's `iat`).
    profile_time INTEGER,
    -- When the user first called, or was added; null: only written to so far.
    known_time INTEGER,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_by_id ON users (tenant, id);

CREATE TABLE threads (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    subject TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL,
    starter INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE participants (
    tenant TEXT NOT NULL,
    thread BLOB NOT NULL,
    user_number INTEGER NOT NULL,
    -- The starter is 0, then the recipients as named.
    place INTEGER NOT NULL,
    -- 1: inbox, 2: started, 3: deleted.
    placement INTEGER NOT NULL,
    placement_time INTEGER NOT NULL,
    read_number INTEGER NOT NULL,
    unread_count INTEGER NOT NULL,
    sent_count INTEGER NOT NULL,
    last_sent_number INTEGER NOT NULL,
    -- Of the thread's newest message.
    position INTEGER NOT NULL,
    PRIMARY KEY (tenant, thread, user_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX participants_by_placement
    ON participants (tenant, user_number, placement, position);
CREATE INDEX participants_unread
    ON participants (tenant, user_number, position)
    WHERE placement = 1 AND unread_count > 0;
CREATE INDEX participants_sent
    ON participants (tenant, user_number, position)
    WHERE placement <> 3 AND sent_count > 0;

CREATE TABLE messages (
    tenant TEXT NOT NULL,
    thread BLOB NOT NULL,
    number INTEGER NOT NULL,
    id BLOB NOT NULL,
    sender INTEGER NOT NULL,
    -- How many messages its sender has written in the thread, this one counted.
    sender_count INTEGER NOT NULL,
    position INTEGER NOT NULL,
    content TEXT NOT NULL,
    send_time INTEGER NOT NULL,
    edit_time INTEGER,
    revision INTEGER NOT NULL,
    PRIMARY KEY (tenant, thread, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_by_id ON messages (tenant, id);
CREATE UNIQUE INDEX messages_by_sender ON messages (tenant, thread, sender, number, sender_count);

-- What messages said before they were edited.
CREATE TABLE revisions (
    tenant TEXT NOT NULL,
    message BLOB NOT NULL,
    revision INTEGER NOT NULL,
    content TEXT NOT NULL,
    replace_time INTEGER NOT NULL,
    PRIMARY KEY (tenant, message, revision)
) STRICT, WITHOUT ROWID;

-- Request ids that were carried out.
CREATE TABLE requests (
    tenant TEXT NOT NULL,
    user_number INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    fingerprint TEXT NOT NULL,
    message BLOB NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_number, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_time ON requests (tenant, time);

-- Each user's counts.
CREATE TABLE mailboxes (
    tenant TEXT NOT NULL,
    user_number INTEGER NOT NULL,
    inbox INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    total INTEGER NOT NULL,
    unread_messages INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_number)
) STRICT, WITHOUT ROWID;

-- The log.
CREATE TABLE events (
    tenant TEXT NOT NULL,
    position INTEGER NOT NULL,
    id BLOB NOT NULL,
    -- 1: message sent, 2: message edited, 3: thread changed.
    kind INTEGER NOT NULL,
    time INTEGER NOT NULL,
    thread BLOB NOT NULL,
    message BLOB,
    actor INTEGER NOT NULL,
    request_id BLOB,
    PRIMARY KEY (tenant, position)
) STRICT, WITHOUT ROWID;

-- Who is told of which event.
CREATE TABLE audience (
    tenant TEXT NOT NULL,
    user_number INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_number, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX audience_by_position ON audience (tenant, position);
