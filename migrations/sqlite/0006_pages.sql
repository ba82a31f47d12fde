-- What a page of an inbox shows of a thread stands with the thread: its newest message's sender, time
-- and beginning, and who takes part (numbers of users between commas, in their places' order). Two of
-- the four look-ups a page did for each of its threads are gone.
--
-- And one index of participants does what three did: every folder is some of a user's shelves, each in
-- the order of its threads' newest messages. A message to one recipient makes two entries, not four; a
-- reply four, not up to eight.
--
-- Processes of the version before do not work on these tables. None was released.
ALTER TABLE threads ADD COLUMN last_sender INTEGER NOT NULL DEFAULT 0;
ALTER TABLE threads ADD COLUMN last_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE threads ADD COLUMN snippet TEXT NOT NULL DEFAULT '';
ALTER TABLE threads ADD COLUMN people TEXT NOT NULL DEFAULT '';
UPDATE threads SET
    last_sender = m.sender,
    last_time = m.send_time,
    snippet = substr(m.content, 1, 200),
    people = (SELECT group_concat(p.user_number, ',' ORDER BY p.place)
        FROM participants p WHERE p.tenant = threads.tenant AND p.thread = threads.id)
FROM messages m
WHERE m.tenant = threads.tenant AND m.thread = threads.id AND m.number = threads.message_count;

-- In the inbox, 1: read, 2: read, and written in, 3: unread, 4: unread, and written in. 5: started (and
-- so written in, and read). 6: deleted.
ALTER TABLE participants ADD COLUMN shelf INTEGER NOT NULL GENERATED ALWAYS AS (
    CASE placement
        WHEN 1 THEN 1 + CASE WHEN unread_count > 0 THEN 2 ELSE 0 END
            + CASE WHEN sent_count > 0 THEN 1 ELSE 0 END
        WHEN 2 THEN 5
        ELSE 6
    END) VIRTUAL;
DROP INDEX participants_by_placement;
DROP INDEX participants_unread;
DROP INDEX participants_sent;
CREATE INDEX participants_by_shelf ON participants (tenant, user_number, shelf, position);
