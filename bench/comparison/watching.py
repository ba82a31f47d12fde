"""What watching costs: many who are told of everything, how soon, and many who are told nothing."""

import contextlib
import time

from .field import rate
from .figures import Row


def fanout(field):
    """More is sent than can be delivered, at the same pace to all that are compared."""
    watchers = 100 if field.quick else 1_000
    options = {"watchers": watchers, "users": 1, "rate": 2000}
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(field.on_postgres("fanout"))
        sqlite = stack.enter_context(field.on_sqlite("fanout"))
        for server in (postgres, sqlite):
            field.fill(server)
        echo = stack.enter_context(field.echo(like=postgres))

        def events(server):
            return lambda: field.bench(server, "watch", **options)["events_per_second"]

        found = field.interleaved(
            {"Postgres": events(postgres), "SQLite": events(sqlite), "echo": events(echo)}
        )
    on_postgres, on_sqlite, of_echo = found.values()
    for database, measured in (("Postgres", on_postgres), ("SQLite", on_sqlite)):
        what = f"events delivered to {watchers:,} watches of one user, {database}"
        beside = "tonic that streams the same"
        field.ratio(what, beside, measured, of_echo, ">= 0.5", loop="open, 2,000 messages/s")


def delivery(field):
    pace = 100 if field.quick else 1_000
    options = {"watchers": 100, "users": 100, "rate": pace}
    with field.on_postgres("delivery") as postgres, field.on_sqlite("delivery") as sqlite:
        for server in (postgres, sqlite):
            field.fill(server)
        for database, server, goal in (("SQLite", sqlite, "<= 1.0"), ("Postgres", postgres, "<= 1.5")):
            runs = []

            def deliver():
                runs.append(field.bench(server, "watch", **options))
                return runs[-1]["delivery_p50_us"]

            field.interleaved({f"delivery p50 in µs, {database}": deliver})
            delivered = [run["delivery_p50_us"] for run in runs]
            answered = [run["p50_us"] for run in runs]
            what = f"from a SendMessage's answer to its event at a watcher, p50, {database}"
            loop = f"open, {pace:,} messages/s"
            field.ratio(what, "SendMessage's own p50", delivered, answered, goal, unit="µs", loop=loop)


def idle(field):
    count = 1_000 if field.quick else 10_000
    with contextlib.ExitStack() as stack:
        watched = stack.enter_context(field.on_postgres("watched"))
        unwatched = stack.enter_context(field.on_postgres("unwatched"))
        for server in (watched, unwatched):
            field.fill(server, threads=10_000)
        echo = stack.enter_context(field.echo(like=unwatched))

        # What a first load leaves behind belongs to no watch.
        for server in (watched, unwatched, echo):
            field.bench(server, "send", seconds=1)
        each = {}
        for server in (echo, watched):
            before = server.memory()
            stack.enter_context(field.idle(server, count))
            time.sleep(2)
            each[server] = (server.memory() - before) / count / 1024
        of_letterbox, of_echo = each[watched], each[echo]
        what = f"memory of the server for each idle watch, of {count:,}"
        beside = "tonic's streams, each with its channel"
        goal = "<= 20 KiB"
        row = Row.value_of(what, beside, [of_letterbox], [of_echo], of_letterbox, goal, "KiB", "none")
        field.put(row)

        found = field.interleaved(
            {
                f"beside {count:,} idle watches": lambda: rate(field.bench(watched, "send")),
                "without": lambda: rate(field.bench(unwatched, "send")),
            }
        )
    what = f"SendMessage beside {count:,} idle watches of the same tenant, Postgres, 64 callers"
    field.ratio(what, "without any", *found.values(), ">= 0.95")
