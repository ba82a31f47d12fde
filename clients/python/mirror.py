"""A copy of a user's threads, and how it is kept current: what a watch delivers, applied once.

The rules are WatchMessages', "To keep views current". A file is enough to show them; what is kept
in a database commits the token together with what it stands for.
"""

import json
import os
import pathlib

from letterbox.v1 import message_pb2


class Mirror:
    """Threads by id, each with its messages by number, and the token to go on from."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        stored = json.loads(path.read_text()) if path.exists() else {}
        self.token: str | None = stored.get("token")
        self.threads: dict[str, dict] = stored.get("threads", {})

    def save(self, token: str) -> None:
        """Keeps all, and with it the token: after what it stands for, never before.

        Whoever stops between an event and its token sees the event once more, which changes
        nothing; the other way round it would be lost.
        """
        self.token = token
        text = json.dumps({"token": token, "threads": self.threads}, indent=1, ensure_ascii=False)
        beside = self.path.with_suffix(".new")
        with beside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def put_view(self, view: message_pb2.ThreadView) -> None:
        """A view that was read, or that a `thread_changed` brought, takes the former one's place."""
        thread = self.threads.setdefault(view.thread.id, {"messages": {}})
        thread["subject"] = view.thread.subject
        thread["message_count"] = view.thread.message_count
        thread["unread_count"] = view.unread_count
        thread["placement"] = message_pb2.Placement.Name(view.placement)

    def put_message(self, message: message_pb2.Message) -> None:
        """Takes a message that is not held, or a newer revision of it, and shows it."""
        thread = self.threads[message.thread_id]
        messages = thread["messages"]
        held = messages.get(str(message.number))
        if held and held["revision"] >= message.revision:
            return
        messages[str(message.number)] = {
            "sender": message.sender.id,
            "content": message.content,
            "revision": message.revision,
        }
        text = f"{thread['subject']} {message.number} {message.sender.id}: {message.content}"
        print(text, flush=True)

    def count(self, message: message_pb2.Message, subject: str, *, own: bool, reply: bool) -> None:
        """Brings a thread's view up to a message that was sent, unless it is there already."""
        thread = self.threads[message.thread_id]
        if message.number <= thread["message_count"]:
            return
        thread["message_count"] = message.number
        thread["subject"] = subject
        thread["unread_count"] = 0 if own else thread["unread_count"] + 1
        if reply or not own:
            thread["placement"] = "PLACEMENT_INBOX"
