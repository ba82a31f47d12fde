"""Programs that run while others measure them: started, waited for, and stopped by their ids."""

import contextlib
import itertools
import os
import re
import signal
import socket
import statistics
import subprocess
import time

_numbers = itertools.count(1)


class Failed(Exception):
    pass


class Program:
    """A program that runs; what it says goes into a file."""

    def __init__(self, name, command, folder, **options):
        self.name = name
        self.log = folder / f"{name}-{next(_numbers)}.log"
        with open(self.log, "wb") as log:
            # A session of its own: Ctrl-C comes to this script alone, which stops its programs.
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self.pid = self.process.pid

    def said(self, pattern, seconds=60):
        """Waits until it says this."""
        for _ in range(int(seconds * 20)):
            if match := re.search(pattern, self.log.read_text(errors="replace")):
                return match
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(f"{self.name} did not get ready:\n{self.end_of_log()}")

    def end_of_log(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def memory(self):
        """Bytes that are in memory."""
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s*(\d+)", status.read())[1]) * 1024

    def cpu_seconds(self):
        """Time on a processor so far."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(*arguments, ready=None, **options):
    program = Program(*arguments, **options)
    try:
        if ready:
            program.ready = program.said(ready)
        yield program
    finally:
        program.stop()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Postgres:
    """A PostgreSQL of this run's own, with its default settings where it matters: above all it
    makes every commit durable."""

    def __init__(self, folder, programs):
        self.programs = programs
        self.port = free_port()
        self.as_postgres = ["env", "-C", folder]
        data = folder / "postgres"
        data.mkdir()
        if os.geteuid() == 0:
            self.as_postgres += ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            subprocess.run(["chown", "postgres:", data], check=True)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        initdb = [programs / "initdb", "--pgdata", data / "data", "--no-sync", "--username=postgres"]
        initdb += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        self.run(*self.as_postgres, *initdb)
        postgres = [programs / "postgres", "-D", data / "data", "-p", self.port]
        for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"):
            postgres += ["-c", setting]
        command = [*self.as_postgres, *postgres]
        self.server = Program("postgres", command, folder, env=self.environment)
        try:
            self.server.said("ready to accept connections")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        # The fastest way that it has: its data is not needed any more.
        self.server.stop(signal.SIGQUIT)

    def run(self, *command):
        words = [str(word) for word in command]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}:\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def psql(self, database, *arguments):
        psql = [self.programs / "psql", "-qX", "-v", "ON_ERROR_STOP=1"]
        return self.run(*psql, self.url(database), *arguments)

    def create(self, database):
        self.psql("postgres", "-c", f'CREATE DATABASE "{database}"')
        return self.url(database)

    def checkpoint(self):
        self.psql("postgres", "-c", "CHECKPOINT")

    def pgbench(self, database, script, clients, seconds):
        """Transactions a second, after a second in which each client has its statement planned."""
        pgbench = [self.programs / "pgbench", "-n", "-M", "prepared", "-c", clients]
        pgbench += ["-j", min(clients, os.cpu_count()), "-f", script, "-P", 1, "-T", max(1, round(seconds)) + 1]
        said = self.run(*pgbench, self.url(database))
        if failed := re.search(r"failed transactions: [1-9].*|aborted.*", said):
            raise Failed(f"pgbench: {failed[0]}")
        each_second = [float(tps) for tps in re.findall(r"progress: [\d.]+ s, ([\d.]+) tps", said)]
        return statistics.mean(each_second[1:])
