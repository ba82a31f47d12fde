-- A user's counts stand beside the newest event that tells the user of something, so that nothing
-- is updated where a row is written anyhow. What was kept so far, and what stands beside events
-- that are removed, is at rest in a table of its own.
--
-- Processes of the version before do not work on these tables. None was released.
ALTER TABLE mailboxes RENAME TO mailboxes_at_rest;
ALTER TABLE audience ADD COLUMN inbox INTEGER;
ALTER TABLE audience ADD COLUMN unread INTEGER;
ALTER TABLE audience ADD COLUMN sent INTEGER;
ALTER TABLE audience ADD COLUMN deleted INTEGER;
ALTER TABLE audience ADD COLUMN total INTEGER;
ALTER TABLE audience ADD COLUMN unread_messages INTEGER;
