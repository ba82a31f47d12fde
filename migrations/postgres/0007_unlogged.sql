-- How many changes of the tenant's rows no event tells of: of users, and by `check --repair`. What a process
-- remembers of a tenant holds for as long as the newest event and this are what they were.
--
-- Processes of the version before do not count. None was released.
ALTER TABLE log_heads ADD COLUMN unlogged bigint NOT NULL DEFAULT 0;
