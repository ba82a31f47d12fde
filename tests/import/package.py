"""Data made by the real django_messages_drf, and what the package says of them:

    package.py leftovers     a few threads, and what the package's bugs and owners leave behind
    package.py many N        N messages, by the package's own calls; some leave with their users
    package.py tell          as JSON, what each user finds where

It is told the database by DJANGO_DATABASE. `tell` asks the package; what it says of the leftovers is
put as Letterbox has to repair them, in words of its own, so that the importer has something to be held
against.
"""

import datetime
import json
import os
import random
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402: needs what was set up
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django_messages_drf.models import Message, Thread, UserThread  # noqa: E402

User = get_user_model()


def start(sender, recipients, subject, content):
    return Message.new_message(sender, recipients, subject, content).thread


def unguarded(sql, *parameters):
    """As a DBA would, past the foreign keys."""
    off, on = {
        "sqlite": ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
        "postgresql": ("SET session_replication_role = replica", "SET session_replication_role = DEFAULT"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(off)
        cursor.execute(sql, parameters)
        cursor.execute(on)


def leftovers():
    names = ["ana", "ben", "cleo", "dan", "eve", "finn", "gone"]
    ana, ben, cleo, dan, eve, finn, gone = (
        User.objects.create(username=name, first_name=name.title(), email=f"{name}@example.org") for name in names
    )

    plans = start(ana, [ben, cleo], "plans", "Lunch?")
    Message.new_reply(plans, ben, "At noon?")
    Message.new_reply(plans, ana, "At one.")
    start(ana, [ben], "unanswered", "Anybody?")
    read = start(ben, [ana], "read", "Seen?")
    # What an application does when somebody reads: the package itself has no call for it.
    read.userthread_set.filter(user=ana).update(unread=False)
    deleted = start(cleo, [ana, ben], "deleted", "Gone soon.")
    # What the package's DELETE does.
    deleted.userthread_set.filter(user=ana).update(deleted=True)
    Message.new_reply(deleted, ben, "Not for me.")
    deleted.userthread_set.filter(user=ana).update(deleted=True)

    # A note to oneself gets two rows, and so does who is named twice.
    start(eve, [eve], "note", "Milk.")
    start(eve, [ben, ben], "twice", "Hello, hello?")
    # Anybody can reply anywhere, and an edit can move a message to another thread.
    Message.new_reply(read, dan, "I take no part here.")
    moved = Message.new_reply(plans, cleo, "This was said elsewhere.")
    moved.thread = start(eve, [ana], "moved to", "Here?")
    moved.save()
    # Without a message the inbox breaks, and so it is when whoever wrote has gone.
    Thread.objects.create(subject="empty").userthread_set.create(user=ben, unread=True, deleted=False)
    start(finn, [ana], "emptied", "I shall be deleted.")
    kept = start(ana, [finn, ben], "one less", "Finn leaves.")
    Message.new_reply(kept, finn, "And this with him.")
    finn.delete()
    # A user who was removed past Django, and a thread.
    start(gone, [ana], "of a ghost", "Boo.")
    unguarded("DELETE FROM auth_user WHERE id = %s", gone.pk)
    lost = start(ben, [ana], "lost", "My subject has gone.")
    unguarded("DELETE FROM django_messages_drf_thread WHERE auditmodel_ptr_id = %s", lost.pk)

    # No serializer stands between a program and the models.
    start(ana, [ben], "tab\tand\nline", "Whatever.")
    start(ana, [ben], " ", "No subject.")
    start(ana, [ben], "blank", " \n")
    Message.new_reply(start(ana, [ben], "long content", "é" * 40_000), ben, "TL;DR")
    if connection.vendor == "sqlite":  # which checks neither lengths nor characters
        start(ana, [ben], "s" * 151, "Too much.")
        start(ana, [ben], "nul", "a\0b")
    same = start(dan, [eve], "one moment", "One.")
    Message.new_reply(same, eve, "Two.")
    same.messages.update(sent_at=datetime.datetime(2021, 5, 1, 12, 0, 0, 7, datetime.timezone.utc))
    whole = start(dan, [eve], "a whole second", "Tick.")
    whole.messages.update(sent_at=datetime.datetime(2021, 5, 1, 12, 0, 0, 0, datetime.timezone.utc))


def many(count):
    chance = random.Random(7)
    everybody = max(10, count // 100)
    User.objects.bulk_create(User(username=f"user-{number}", first_name=f"User {number}") for number in range(everybody))
    users = list(User.objects.order_by("pk"))
    threads = []
    for number in range(count):
        if number % 1000 == 0:
            print(number, file=sys.stderr)
            batch = transaction.atomic()
            batch.__enter__()
        if len(threads) < 2 or chance.random() < 0.2:
            people = chance.sample(users, chance.choice([2, 2, 2, 3, 5]))
            # Nobody else, or one of them twice, is what makes two rows of a user.
            recipients = people[1:] if chance.random() < 0.97 else chance.choice([people[:1], people[1:] + people[1:2]])
            thread = start(people[0], recipients, f"Subject {number}", f"Message {number}. " + "x" * chance.randrange(400))
            threads.append((thread, people))
        else:
            thread, people = chance.choice(threads[-500:])
            sender = chance.choice(people if chance.random() < 0.99 else users)
            Message.new_reply(thread, sender, f"Message {number}. " + "y" * chance.randrange(400))
        row = thread.userthread_set.filter(user=chance.choice(people))
        if chance.random() < 0.3:
            row.update(unread=False)
        if chance.random() < 0.05:
            row.update(deleted=True)
        if number % 1000 == 999 or number == count - 1:
            batch.__exit__(None, None, None)
    # Their messages go with them, and leave threads without any; or nothing goes with them.
    leaving = chance.sample(users, max(2, everybody // 100))
    for user in leaving[::2]:
        user.delete()
    for user in leaving[1::2]:
        unguarded("DELETE FROM auth_user WHERE id = %s", user.pk)


# What Letterbox is to make of it.


def repaired_subject(subject):
    subject = "".join(" " if ord(character) < 32 else character for character in subject)[:150]
    return subject if subject.strip() else "(no subject)"


def repaired_contents(content):
    content = content.replace("\0", "")
    if not content.strip():
        return ["(no text)"]
    parts = [""]
    if len(content.encode()) <= 65_536:
        return [content]
    for character in content:
        if len(parts[-1].encode()) + len(character.encode()) > 65_536:
            parts.append("")
        parts[-1] += character
    return parts


def micros(time):
    return (time - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


def tell():
    names = dict(User.objects.values_list("pk", "username"))
    messages = {}
    for message in Message.objects.order_by("sent_at", "pk").values("pk", "thread_id", "sender_id", "content", "sent_at"):
        messages.setdefault(message["thread_id"], []).append(message)
    subjects = dict(Thread.objects.values_list("pk", "subject"))
    order = sorted(messages, key=lambda pk: (messages[pk][-1]["sent_at"], messages[pk][-1]["pk"]), reverse=True)

    threads = []
    rows = {}
    for row in UserThread.objects.order_by("pk").values("thread_id", "user_id", "unread", "deleted"):
        rows.setdefault(row["thread_id"], {}).setdefault(row["user_id"], []).append(row)
    for pk in order:
        said = [
            [str(message["sender_id"]), part, micros(message["sent_at"])]
            for message in messages[pk]
            for part in repaired_contents(message["content"])
        ]
        views = {}
        for user in {*rows.get(pk, {}), *(message["sender_id"] for message in messages[pk])}:
            own = rows.get(pk, {}).get(user)
            lies = [row for row in own or [] if not row["deleted"]]
            others_since = 0
            for sender, *_ in said:
                others_since = 0 if sender == str(user) else others_since + 1
            unread = any(row["unread"] for row in (lies or own or []))
            waits = len(said) == 1 and said[0][0] == str(user) and len({*rows.get(pk, {}), user}) > 1
            views[str(user)] = [
                "inbox" if lies else "started" if waits else "deleted",
                others_since if unread else 0,
            ]
        threads.append({"subject": repaired_subject(subjects.get(pk, "")), "messages": said, "views": views})
    # The package's own words, where it does not break, and has what a sender who takes no part gets.
    package = {}
    for user in User.objects.all():
        inbox, unread, deleted = (
            folder.filter(messages__isnull=False).distinct()
            for folder in [Thread.inbox(user), Thread.unread(user), Thread.deleted(user)]
        )
        strange = Thread.objects.filter(messages__sender=user).exclude(userthread__user=user).distinct()
        package[str(user.pk)] = {
            "inbox": inbox.count(),
            "unread": sum(thread.last_message().sender_id != user.pk for thread in unread),
            "deleted": deleted.exclude(pk__in=inbox).count() + strange.count(),
            "messages": user.sent_messages.count(),
        }
    return {"names": {str(pk): name for pk, name in names.items()}, "threads": threads, "package": package}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["leftovers"]:
            call_command("migrate", verbosity=0)
            leftovers()
        case ["many", count]:
            call_command("migrate", verbosity=0)
            many(int(count))
        case ["tell"]:
            json.dump(tell(), sys.stdout)
        case _:
            sys.exit(__doc__)
