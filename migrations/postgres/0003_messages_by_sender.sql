CREATE UNIQUE INDEX messages_by_sender
    ON messages (tenant, sender, thread, number, sender_count);
