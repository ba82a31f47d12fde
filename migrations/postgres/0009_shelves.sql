-- On which shelf a thread lies is no column any more, but a part of the index: to fill a generated column,
-- Postgres compiles its expression anew for each statement, which was a twentieth of what it took to write
-- one message. The table is made anew, since of one that has lost a column no row is taken as it comes.
--
-- In the inbox, 1: read, 2: read, and written in, 3: unread, 4: unread, and written in. 5: started (and
-- so written in, and read). 6: deleted.
ALTER TABLE participants RENAME TO participants_with_shelves;
ALTER INDEX participants_pkey RENAME TO participants_with_shelves_pkey;
DROP INDEX participants_by_shelf;
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
    position bigint NOT NULL
);
INSERT INTO participants
SELECT tenant, thread, user_number, place, placement, placement_time, read_number, unread_count,
    sent_count, last_sent_number, position
FROM participants_with_shelves;
DROP TABLE participants_with_shelves;
ALTER TABLE participants ADD PRIMARY KEY (tenant, thread, user_number);
CREATE INDEX participants_by_shelf ON participants (tenant, user_number, (
    CASE placement
        WHEN 1 THEN 1 + CASE WHEN unread_count > 0 THEN 2 ELSE 0 END
            + CASE WHEN sent_count > 0 THEN 1 ELSE 0 END
        WHEN 2 THEN 5
        ELSE 6
    END), position);
