-- What marks the last change that pages show and no event tells of: of the profile of somebody who was known before,
-- or by `check --repair`. What a process remembers of a user's pages holds for as long as the newest event that tells
-- the user of something and this are what they were. A new user is on nobody's page without an event.
--
-- Processes of the version before do not mark theirs. None was released.
ALTER TABLE log_heads ADD COLUMN profiles INTEGER NOT NULL DEFAULT 0;
