-- Made anew by the next migration, the sender before the thread. With the thread before the sender
-- it looked as good as the primary key for finding one message of a thread by its number, and a
-- planner that took it for that read the whole thread's entries.
DROP INDEX messages_by_sender;
