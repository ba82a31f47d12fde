-- What marks the last change of the tenant's rows that no event tells of, of users or by `check --repair`: its
-- time, and always more than before. What a process remembers of a tenant holds for as long as the newest event
-- and this are what they were.
--
-- Processes of the version before do not mark theirs. None was released.
ALTER TABLE log_heads ADD COLUMN unlogged INTEGER NOT NULL DEFAULT 0;
