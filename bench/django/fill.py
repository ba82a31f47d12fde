"""Makes the tables and what is measured, by the package's own models, and prints it as JSON:

- 1,000 users, numbered from 1;
- an inbox of 50 threads for user 1, started by users 2 to 51;
- a thread of 50 messages between users 998 and 999;
- 200 threads to reply to, between users 101, 102, ... and 301, 302, ...
"""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402: needs what was set up
from django.core.management import call_command  # noqa: E402
from django_messages_drf.models import Message  # noqa: E402

CONTENT = "x" * 200

call_command("migrate", verbosity=0)
User = get_user_model()
User.objects.bulk_create(
    User(pk=number, username=f"bench-user-{number}", password="!") for number in range(1, 1001)
)
users = User.objects.in_bulk()


def start(sender, recipient):
    return Message.new_message(users[sender], [users[recipient]], "A subject", CONTENT).thread


for sender in range(2, 52):
    start(sender, 1)

long = start(998, 999)
for number in range(1, 50):
    Message.new_reply(long, users[998 + number % 2], CONTENT)

replied = []
for sender in range(101, 301):
    replied.append((sender, sender + 200, str(start(sender, sender + 200).uuid)))

print(json.dumps({"inbox_user": 1, "thread_user": 998, "thread": str(long.uuid), "replies": replied}))
