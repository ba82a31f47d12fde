-- A user's counts stand beside the newest event that tells the user of something, so that nothing
-- is updated where a row is written anyhow: with one row a user, changed by every batch, a snapshot
-- that was held open for a minute halved the speed of all writers. What was kept so far, and what
-- stands beside events that are removed, is at rest in a table of its own.
--
-- Processes of the version before do not work on these tables. None was released.
ALTER TABLE mailboxes RENAME TO mailboxes_at_rest;
ALTER TABLE audience
    ADD COLUMN inbox integer,
    ADD COLUMN unread integer,
    ADD COLUMN sent integer,
    ADD COLUMN deleted integer,
    ADD COLUMN total integer,
    ADD COLUMN unread_messages integer;
