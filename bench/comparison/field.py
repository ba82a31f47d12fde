"""What the parts measure with: the programs, rounds, and where figures are put down."""

import contextlib
import json
import subprocess
import time

from .figures import Row
from .programs import Failed, Postgres, Program, running


class Field:
    def __init__(self, options, scratch, postgres_programs, built, venv, stack):
        self.quick = options.quick
        self.rounds = options.rounds
        self.seconds = options.seconds
        self.scratch = scratch
        self.letterbox = built / "letterbox"
        self.baselines = built / "examples" / "baselines"
        self.venv = venv
        self.rows = []
        self.charts = {}
        self.begun = time.monotonic()
        self.postgres = Postgres(scratch, postgres_programs)
        stack.callback(self.postgres.stop)

    def heading(self, name):
        print(f"\n==== [{time.monotonic() - self.begun:4.0f}s] {name}", flush=True)

    # ------------------------------------------------------------------- what is measured

    @contextlib.contextmanager
    def on_postgres(self, database, *options):
        """A Letterbox over a database, which is made where there is none."""
        url = self.postgres.url(database)
        known = self.postgres.psql("postgres", "-Atc", "SELECT datname FROM pg_database").split()
        if database not in known:
            self.postgres.create(database)
        with self.serve(url, *options) as server:
            server.database = database
            yield server

    @contextlib.contextmanager
    def on_sqlite(self, name, *options):
        """A Letterbox over a new file."""
        folder = self.scratch / "sqlite"
        folder.mkdir(exist_ok=True)
        with self.serve(f"sqlite://{folder / name}.db", *options) as server:
            yield server

    @contextlib.contextmanager
    def serve(self, url, *options):
        command = [self.letterbox, "serve", "--listen", "127.0.0.1:0", "--database-url", url, *options]
        with self.listening("letterbox", command) as server:
            yield server

    @contextlib.contextmanager
    def echo(self, like=None):
        """tonic's own server, which answers like a Letterbox."""
        command = [self.baselines, "echo", "--listen", "127.0.0.1:0"]
        if like:
            command += ["--like", like.endpoint]
        with self.listening("echo", command) as server:
            yield server

    @contextlib.contextmanager
    def listening(self, name, command):
        ready = r"listening on ([\d.:]+\d)"
        with running(name, command, self.scratch, cwd=self.scratch, ready=ready) as server:
            server.endpoint = f"http://{server.ready[1]}"
            server.database = None
            yield server

    @contextlib.contextmanager
    def idle(self, server, streams, tenants=1):
        """Watches that stand, and are told nothing."""
        command = [self.baselines, "idle", "--endpoint", server.endpoint]
        command += ["--streams", streams, "--tenants", tenants]
        with running("idle", command, self.scratch, ready="watches stand") as watches:
            yield watches
            if watches.process.poll() is not None:
                raise Failed(f"the idle watches did not last:\n{watches.end_of_log()}")

    # -------------------------------------------------------------------------- measuring

    def bench(self, server, mix, seconds=None, warmup=1, **options):
        """The load generator's figures."""
        seconds = seconds or self.seconds
        start = self.start_bench(server, mix, seconds, warmup, **options)
        return self.finish_bench(start)

    def start_bench(self, server, mix, seconds, warmup=1, **options):
        times = ["--duration", f"{round(seconds * 1000)}ms", "--warmup", f"{round(warmup * 1000)}ms"]
        command = [self.letterbox, "bench", mix, "--json", "--endpoint", server.endpoint, *times]
        return Program("bench", command + words(options), self.scratch)

    def finish_bench(self, program):
        try:
            status = program.process.wait()
        finally:
            program.stop()
        lines = program.log.read_text().splitlines()
        if status != 0 or not lines:
            raise Failed(f"letterbox bench:\n{program.end_of_log()}")
        figures = json.loads(next(line for line in lines if line.startswith("{")))
        if figures["errors"]:
            raise Failed(f"letterbox bench: {figures['errors']} errors:\n{program.end_of_log()}")
        return figures

    def fill(self, server, **options):
        """Makes data, and leaves the database as it is some time after."""
        command = [self.letterbox, "bench", "fill", "--endpoint", server.endpoint, "--callers", 256]
        program = Program("fill", command + words(options), self.scratch)
        try:
            if program.process.wait() != 0:
                raise Failed(f"letterbox bench fill:\n{program.end_of_log()}")
        finally:
            program.stop()
        if server.database:
            # Autovacuum would do it within the next minutes, amid what is measured.
            self.postgres.psql(server.database, "-c", "VACUUM (ANALYZE)")

    def raw_sqlite(self, batch):
        """Messages a second."""
        folder = self.scratch / "sqlite"
        folder.mkdir(exist_ok=True)
        command = [self.baselines, "sqlite", "--json", "--batch", batch, "--dir", folder]
        command += ["--seconds", max(1, round(self.seconds))]
        done = subprocess.run([str(word) for word in command], check=True, capture_output=True)
        return json.loads(done.stdout)["messages_per_second"]

    def interleaved(self, measurements, rounds=None):
        """What each comes to in each round, all of them once a round, by their names."""
        found = {name: [] for name in measurements}
        for _ in range(rounds or self.rounds):
            for name, measure in measurements.items():
                # So that none has to carry what the one before it left to do.
                self.postgres.checkpoint()
                value = measure()
                found[name].append(value)
                print(f"  {name:<44} {value:>12,.1f}", flush=True)
        return found

    # ----------------------------------------------------------------------- putting down

    def ratio(self, what, beside, a, b, goal, **about):
        self.put(Row.ratio(what, beside, a, b, goal, **about))

    def put(self, row):
        self.rows.append(row)
        met = "met" if row.met else "NOT MET"
        print(f"  -> {row.what} / {row.beside}: {row.shown()} ({row.goal}: {met})", flush=True)


def words(options):
    """Options as they are written: `page_size=50` is `--page-size 50`."""
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def rate(figures):
    return figures["requests_per_second"]
