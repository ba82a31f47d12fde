"""What reading costs: beside answers that cost nothing, and as inboxes and threads grow."""

import contextlib

from .field import rate
from .figures import median

# Each page is read from the tables, though nothing has changed since it was sent last.
ANEW = ("--page-cache-bytes-max", 0)

# An inbox of 50 threads of 50 messages each, so either page holds 50.
PAGES = {"users": 1, "threads": 50, "messages": 50}


def beside_echo(field):
    with contextlib.ExitStack() as stack:
        servers = {
            "Postgres, 64 callers, unchanged": field.on_postgres("reads"),
            "Postgres, 64 callers, read anew": field.on_postgres("reads-anew", *ANEW),
            "SQLite, 64 callers, unchanged": field.on_sqlite("reads"),
            "SQLite, 64 callers, read anew": field.on_sqlite("reads-anew", *ANEW),
        }
        servers = {name: stack.enter_context(server) for name, server in servers.items()}
        for server in servers.values():
            field.fill(server, **PAGES)
        echo = stack.enter_context(field.echo(like=next(iter(servers.values()))))
        for mix, call in (("inbox", "ListInbox of 50 threads"), ("thread", "GetThread of 50 messages")):

            def read(server):
                return lambda: rate(field.bench(server, mix, **PAGES))

            each = {f"{mix}, {name}": read(server) for name, server in servers.items()}
            *found, of_echo = field.interleaved(each | {f"{mix}, echo": read(echo)}).values()
            beside = "tonic that answers the same from memory"
            for name, rates in zip(servers, found):
                goal = ">= 0.25" if "Postgres" in name else ">= 0.30"
                field.ratio(f"{call}, {name}", beside, rates, of_echo, goal)


def growth(field):
    """A tenant for each size, all in one database, so that they can take turns; each page is read."""
    sizes = (1_000, 10_000) if field.quick else (1_000, 10_000, 100_000, 1_000_000)
    lines = {}
    with field.on_postgres("growth", *ANEW) as postgres, field.on_sqlite("growth", *ANEW) as sqlite:
        for database, server in (("Postgres", postgres), ("SQLite", sqlite)):
            for mix, call, things, options in (
                ("inbox", "ListInbox", "threads", lambda size: {"threads": size, "messages": 1}),
                ("thread", "GetThread", "messages", lambda size: {"threads": 1, "messages": size}),
            ):

                def read(size):
                    given = {"users": 1, "tenant": f"{things}-{size}"} | options(size)
                    return lambda: field.bench(server, mix, callers=1, **given)["p50_us"]

                for size in sizes:
                    print(f"  making {size:,} {things} on {database}", flush=True)
                    field.fill(server, users=1, tenant=f"{things}-{size}", **options(size))
                names = {f"{call}, {size:,} {things}, {database}": read(size) for size in sizes}
                found = list(field.interleaved(names).values())
                what = f"{call}, p50 at {sizes[-1]:,} {things}, {database}, 1 caller"
                field.ratio(what, f"at {sizes[0]:,}", found[-1], found[0], "<= 1.2", unit="µs")
                lines[f"{call}, {database}"] = [
                    (size, median(values) / 1000) for size, values in zip(sizes, found)
                ]
    field.charts["growth"] = {
        "title": "A page of 50, one caller",
        "x": "threads in the inbox, or messages in the thread",
        "y": "milliseconds, p50",
        "lines": lines,
    }
