"""What sending costs, beside the same rows written without a service, and under other loads."""

import contextlib
import os
import time
from pathlib import Path

from .field import rate
from .figures import Row, median

PGBENCH = Path(__file__).resolve().parents[1] / "pgbench"

# What pgbench's set_up.sql makes, too; a reply goes to any of these threads.
THREADS = {"users": 1000, "threads": 10_000}


def pgbench_database(field, name):
    """Letterbox's own tables, with what pgbench's scripts work on."""
    url = field.postgres.create(name)
    field.postgres.run(field.letterbox, "migrate", "--database-url", url)
    field.postgres.psql(name, "-f", PGBENCH / "set_up.sql")
    return name


def beside_pgbench(field):
    database = pgbench_database(field, "pgbench")
    with field.on_postgres("writes") as server:
        field.fill(server, **THREADS)
        for mix, call in (("send", "SendMessage"), ("reply", "ReplyThread")):
            options = THREADS if mix == "reply" else {}
            for callers, goal in ((64, ">= 1.5"), (1, ">= 0.5")):
                script = PGBENCH / f"{mix}.sql"
                found = field.interleaved(
                    {
                        f"{mix}, {callers}": lambda: rate(field.bench(server, mix, callers=callers, **options)),
                        f"pgbench {mix}, {callers}": lambda: field.postgres.pgbench(
                            database, script, callers, field.seconds
                        ),
                    }
                )
                s = "s" if callers > 1 else ""
                what = f"{call}, Postgres, {callers} caller{s}"
                field.ratio(what, f"pgbench, {callers} client{s}", *found.values(), goal)


def beside_raw_sqlite(field):
    with field.on_sqlite("writes") as server:
        found = field.interleaved(
            {
                "send": lambda: rate(field.bench(server, "send")),
                "raw SQLite, 1 a transaction": lambda: field.raw_sqlite(1),
                "raw SQLite, 100 a transaction": lambda: field.raw_sqlite(100),
            }
        )
    sent, one, hundred = found.values()
    what = "SendMessage, SQLite, 64 callers"
    field.ratio(what, "raw SQLite, a transaction a message", sent, one, ">= 3")
    field.ratio(what, "raw SQLite, a transaction for 100 messages", sent, hundred, ">= 0.9")


def replicas(field):
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(field.on_postgres("one-replica"))
        three = [stack.enter_context(field.on_postgres("three-replicas")) for _ in range(3)]
        for server in (one, three[0]):
            field.fill(server, **THREADS)

        def through_three():
            with contextlib.ExitStack() as loads:
                programs = []
                for server, callers in zip(three, (22, 21, 21)):
                    program = field.start_bench(server, "send", field.seconds, callers=callers)
                    loads.callback(program.stop)
                    programs.append(program)
                return sum(rate(field.finish_bench(program)) for program in programs)

        found = field.interleaved(
            {"three replicas": through_three, "one replica": lambda: rate(field.bench(one, "send"))}
        )
    what = "SendMessage through three replicas, Postgres, 64 callers in all"
    field.ratio(what, "through one", *found.values(), ">= 0.9")


def tenants(field):
    with field.on_postgres("tenants") as server:
        field.fill(server, tenants=16)
        field.fill(server, tenant="alone", threads=16_000)
        found = field.interleaved(
            {
                "16 tenants": lambda: rate(field.bench(server, "send", tenants=16)),
                "one tenant": lambda: rate(field.bench(server, "send", tenant="alone")),
            }
        )
    what = "SendMessage over 16 tenants, Postgres, 64 callers"
    field.ratio(what, "over one tenant", *found.values(), ">= 0.8")


def many_tenants(field):
    count, watched = (200, 50) if field.quick else (10_000, 1_000)
    with contextlib.ExitStack() as stack:
        many = stack.enter_context(field.on_postgres("many-tenants"))
        one = stack.enter_context(field.on_postgres("one-tenant"))
        field.fill(many, tenants=count, users=1)
        field.fill(many, tenant="bench-0", **THREADS)
        field.fill(one, **THREADS)
        stack.enter_context(field.idle(many, watched, tenants=watched))
        found = field.interleaved(
            {
                f"one of {count:,} tenants": lambda: rate(field.bench(many, "send", tenant="bench-0")),
                "the only tenant": lambda: rate(field.bench(one, "send")),
            }
        )
        time.sleep(3)
        before, seconds = many.cpu_seconds(), 2 if field.quick else 10
        time.sleep(seconds)
        idle = 100 * (many.cpu_seconds() - before) / seconds
    what = f"SendMessage in one of {count:,} tenants, {watched:,} of them watched, Postgres, 64 callers"
    field.ratio(what, "in a database of one tenant", *found.values(), ">= 0.9")
    what = f"processor time of a server of {count:,} tenants, {watched:,} watched, none busy"
    field.put(Row.value_of(what, "nothing", [idle], [], idle, "< 2 % of a core", "%", "none"))


def snapshot(field):
    """For a minute: what a snapshot that is held open costs grows with its age."""
    import psycopg

    seconds = 2 if field.quick else 60
    with field.on_postgres("snapshot") as held, field.on_postgres("no-snapshot") as free:
        for server in (held, free):
            field.fill(server, **THREADS)

        def beside_snapshot():
            with psycopg.connect(field.postgres.url("snapshot")) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.execute("SELECT count(*) FROM log_heads")
                sent = rate(field.bench(held, "send", seconds=seconds))
                connection.rollback()
            return sent

        found = field.interleaved(
            {
                "a snapshot held open": beside_snapshot,
                "none": lambda: rate(field.bench(free, "send", seconds=seconds)),
            },
            rounds=min(field.rounds, 2),
        )
    what = f"SendMessage beside a snapshot that is held open for {seconds} s, Postgres, 64 callers"
    field.ratio(what, "without one", *found.values(), ">= 0.9")


def concurrency(field):
    database = pgbench_database(field, "pgbench-concurrency")
    script = PGBENCH / "send.sql"
    throughput, latency = {}, {}
    with field.on_postgres("concurrency") as postgres, field.on_sqlite("concurrency") as sqlite:
        for server in (postgres, sqlite):
            field.fill(server, **THREADS)
        for callers in (1, 4, 16, 64, 256):
            figures = {"SQLite": [], "Postgres": []}

            def send(name, server):
                figures[name].append(field.bench(server, "send", callers=callers))
                return rate(figures[name][-1])

            found = field.interleaved(
                {
                    f"Postgres, {callers}": lambda: send("Postgres", postgres),
                    f"SQLite, {callers}": lambda: send("SQLite", sqlite),
                    f"pgbench, {callers}": lambda: field.postgres.pgbench(
                        database, script, callers, field.seconds
                    ),
                }
            )
            names = ("Letterbox on Postgres", "Letterbox on SQLite", "pgbench, the same rows")
            for name, values in zip(names, found.values()):
                throughput.setdefault(name, []).append((callers, median(values)))
            for name, runs in figures.items():
                for percentile in ("p50", "p99"):
                    micros = median([run[f"{percentile}_us"] for run in runs])
                    latency.setdefault(f"{name}, {percentile}", []).append((callers, micros / 1000))
    cores = os.cpu_count()
    field.charts["throughput"] = {
        "title": f"SendMessage, {cores} cores for client and server",
        "x": "callers (closed loop)",
        "y": "messages a second",
        "lines": throughput,
    }
    field.charts["latency"] = {
        "title": f"SendMessage, {cores} cores for client and server",
        "x": "callers (closed loop)",
        "y": "milliseconds",
        "lines": latency,
        "log": True,
    }
