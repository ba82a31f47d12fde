-- What Letterbox keeps. Every key begins with the tenant; every row belongs to one.
--
-- Times are microseconds since 1970; `number`s of users are the tenant's own (people are named by
-- their ids in `users` alone); `position`s are places in the tenant's log.

-- One row: the secret that proves tokens, the same for all replicas.
CREATE TABLE deployment (
    one smallint PRIMARY KEY CHECK (one = 1),
    token_key bytea NOT NULL
);
INSERT INTO deployment (one, token_key)
VALUES (1, decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- A row a tenant. Whoever writes holds its lock until the commit: that is a writer's turn.
CREATE TABLE log_heads (
    tenant text COLLATE "C" PRIMARY KEY
);

CREATE TABLE users (
    tenant text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    first_name text NOT NULL DEFAULT '',
    last_name text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    -- When the profile was told (a token's `iat`).
    profile_time bigint,
    -- When the user first called, or was added; null: only written to so far.
    known_time bigint,
    PRIMARY KEY (tenant, number)
);
CREATE UNIQUE INDEX users_by_id ON users (tenant, id);

CREATE TABLE threads (
    tenant text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    subject text NOT NULL,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL,
    starter bigint NOT NULL,
    message_count integer NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE participants (
    tenant text COLLATE "C" NOT NULL,
    thread uuid NOT NULL,
    user_number bigint NOT NULL,
    -- The starter is 0, then the recipients as named.
    place integer NOT NULL,
    -- 1: inbox, 2: started, 3: deleted.
    placement smallint NOT NULL,
    placement_time bigint NOT NULL,
    read_number integer NOT NULL,
    unread_count integer NOT NULL,
    sent_count integer NOT NULL,
    last_sent_number integer NOT NULL,
    -- Of the thread's newest message.
    position bigint NOT NULL,
    PRIMARY KEY (tenant, thread, user_number)
);
CREATE INDEX participants_by_placement
    ON participants (tenant, user_number, placement, position);
CREATE INDEX participants_unread
    ON participants (tenant, user_number, position)
    WHERE placement = 1 AND unread_count > 0;
CREATE INDEX participants_sent
    ON participants (tenant, user_number, position)
    WHERE placement <> 3 AND sent_count > 0;

CREATE TABLE messages (
    tenant text COLLATE "C" NOT NULL,
    thread uuid NOT NULL,
    number integer NOT NULL,
    id uuid NOT NULL,
    sender bigint NOT NULL,
    -- How many messages its sender has written in the thread, this one counted.
    sender_count integer NOT NULL,
    position bigint NOT NULL,
    content text NOT NULL,
    send_time bigint NOT NULL,
    edit_time bigint,
    revision integer NOT NULL,
    PRIMARY KEY (tenant, thread, number)
);
CREATE UNIQUE INDEX messages_by_id ON messages (tenant, id);
CREATE UNIQUE INDEX messages_by_sender ON messages (tenant, thread, sender, number, sender_count);

-- What messages said before they were edited.
CREATE TABLE revisions (
    tenant text COLLATE "C" NOT NULL,
    message uuid NOT NULL,
    revision integer NOT NULL,
    content text NOT NULL,
    replace_time bigint NOT NULL,
    PRIMARY KEY (tenant, message, revision)
);

-- Request ids that were carried out.
CREATE TABLE requests (
    tenant text COLLATE "C" NOT NULL,
    user_number bigint NOT NULL,
    request_id uuid NOT NULL,
    fingerprint text NOT NULL,
    message uuid NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (tenant, user_number, request_id)
);
CREATE INDEX requests_by_time ON requests (tenant, time);

-- Each user's counts.
CREATE TABLE mailboxes (
    tenant text COLLATE "C" NOT NULL,
    user_number bigint NOT NULL,
    inbox integer NOT NULL,
    unread integer NOT NULL,
    sent integer NOT NULL,
    deleted integer NOT NULL,
    total integer NOT NULL,
    unread_messages integer NOT NULL,
    PRIMARY KEY (tenant, user_number)
);

-- The log.
CREATE TABLE events (
    tenant text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    id uuid NOT NULL,
    -- 1: message sent, 2: message edited, 3: thread changed.
    kind smallint NOT NULL,
    time bigint NOT NULL,
    thread uuid NOT NULL,
    message uuid,
    actor bigint NOT NULL,
    request_id uuid,
    PRIMARY KEY (tenant, position)
);

-- Who is told of which event.
CREATE TABLE audience (
    tenant text COLLATE "C" NOT NULL,
    user_number bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant, user_number, position)
);
CREATE INDEX audience_by_position ON audience (tenant, position);
