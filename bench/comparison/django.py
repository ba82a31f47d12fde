"""Letterbox beside django_messages_drf, which it takes over from."""

import contextlib
import json
import os
import random
import subprocess
from pathlib import Path

from .field import rate
from .http_load import answer, load, request
from .programs import free_port, running
from .reading import ANEW

PROJECT = Path(__file__).resolve().parents[1] / "django"
CALLERS = 64
BODY = json.dumps({"subject": "A subject", "message": "x" * 200}).encode()


class Django:
    def __init__(self, field, stack):
        url = field.postgres.create("django")
        environment = os.environ | {"BENCH_DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
        python = field.venv / "bin" / "python"
        fill = [python, "fill.py"]
        made = subprocess.run(fill, cwd=PROJECT, env=environment, check=True, capture_output=True)
        self.made = json.loads(made.stdout)
        field.postgres.psql("django", "-c", "VACUUM (ANALYZE)")

        self.port = free_port()
        gunicorn = [python, "-m", "gunicorn", "-w", 2, "-b", f"127.0.0.1:{self.port}"]
        gunicorn += ["--no-control-socket", "wsgi"]
        options = {"cwd": PROJECT, "env": environment, "ready": "Listening at"}
        started = running("gunicorn", gunicorn, field.scratch, **options)
        stack.enter_context(started)
        # Either worker answers its first call slowly.
        load(self.port, self.inbox, 2, 1)
        self.check_pages()

    def check_pages(self):
        for page in (self.inbox(), self.thread()):
            content = answer(self.port, page).partition(b"\r\n\r\n")[2]
            assert content.count(b'"sent_at"') == 50, content[:500]

    def send(self):
        sender, recipient = random.sample(range(2, 998), 2)
        return request("POST", f"/message/thread/{recipient}/send/", sender, BODY)

    def reply(self):
        sender, recipient, thread = random.choice(self.made["replies"])
        return request("POST", f"/message/thread/{thread}/{recipient}/send/", sender, BODY)

    def inbox(self):
        return request("GET", "/inbox/", self.made["inbox_user"])

    def thread(self):
        return request("GET", f"/message/thread/{self.made['thread']}/", self.made["thread_user"])


def beside_django(field):
    pages = {"users": 1, "threads": 50, "messages": 50, "tenant": "pages"}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(field.on_postgres("beside-django"))
        anew = stack.enter_context(field.on_postgres("beside-django", *ANEW))
        field.fill(server, **pages)
        field.fill(server, users=1000)
        django = Django(field, stack)
        writing = {"": server}
        reading = {", unchanged": server, ", read anew": anew}
        for mix, call, servers, next_request, options, goal in (
            ("send", "SendMessage", writing, django.send, {}, ">= 30"),
            ("reply", "ReplyThread", writing, django.reply, {}, ">= 40"),
            ("inbox", "ListInbox of 50 threads", reading, django.inbox, pages, ">= 400"),
            ("thread", "GetThread of 50 messages", reading, django.thread, pages, ">= 100"),
        ):

            def ours(server):
                return lambda: rate(field.bench(server, mix, callers=CALLERS, **options))

            # A few of its slowest pages are under way at the end, so it gets longer.
            seconds = field.seconds * (1 if servers is writing else 2)
            theirs = {f"Django's {mix}": lambda: rate(load(django.port, next_request, CALLERS, seconds))}
            each = {f"{mix}{name}": ours(server) for name, server in servers.items()}
            *found, of_django = field.interleaved(each | theirs).values()
            beside = "django_messages_drf, gunicorn with 2 workers"
            for name, rates in zip(servers, found):
                field.ratio(f"{call}, Postgres, {CALLERS} callers{name}", beside, rates, of_django, goal)
