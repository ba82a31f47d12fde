"""The command: what is needed first, the parts one by one, then the results."""

import argparse
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import results
from .field import Field
from .machine import Machine, find_postgres
from .parts import PARTS
from .programs import Failed

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = ROOT / "target" / "bench"
VENV = WORK / "venv"


def main(doc):
    options = parse(doc)
    in_venv(options)
    # Needs what has just been installed.
    from . import charts

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    raise_file_limit()

    postgres = find_postgres()
    built = options.built or build()
    machine = Machine(ROOT, postgres, built)
    begun = time.monotonic()
    # Not where temporary files go: that is often memory, and a commit is to cost what it does on a
    # disk. Not in the clone either, as PostgreSQL's own user has to get at its data.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="letterbox-bench-") as scratch:
        os.chmod(scratch, 0o711)
        with contextlib.ExitStack() as running:
            field = Field(options, Path(scratch), postgres, built, VENV, running)
            try:
                for name in options.only or PARTS:
                    field.heading(name)
                    PARTS[name](field)
            except Failed as failure:
                sys.exit(f"bench/run: {failure}")

    whole = not options.only and not options.quick
    out = ROOT / "bench" if whole else WORK
    minutes = (time.monotonic() - begun) / 60
    results.write(out, field, machine, options, minutes)
    results.keep(WORK / "results.json", field, machine)
    charts.draw(out / "charts", field.charts)
    print(f"\nwritten: {out / 'RESULTS.md'}, and charts beside it ({minutes:.0f} minutes)")


def parse(doc):
    parser = argparse.ArgumentParser(
        prog="bench/run", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        metavar="PART[,PART]",
        default=[],
        type=lambda names: names.split(","),
        help="measure only these parts: " + ", ".join(PARTS),
    )
    parser.add_argument("--quick", action="store_true", help="try everything: little data, a second each")
    parser.add_argument("--rounds", type=int, help="how often each pair is measured [default: 3]")
    parser.add_argument("--seconds", type=float, help="for how long each time [default: 5]")
    parser.add_argument(
        "--built", type=Path, help="a folder of built programs, such as target/release, instead of building"
    )
    options = parser.parse_args()
    for name in options.only:
        if name not in PARTS:
            parser.error(f"no part is called {name}; there are: {', '.join(PARTS)}")
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 5)
    return options


def in_venv(options):
    """Goes on in the virtual environment, which is made when it or its requirements are new."""
    wanted = (ROOT / "bench" / "requirements.txt").read_text()
    made_from = VENV / "made-from.txt"
    if not made_from.exists() or made_from.read_text() != wanted:
        print("installing what bench/requirements.txt names")
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        except subprocess.CalledProcessError:
            sys.exit("bench/run: python3 lacks venv (Debian: apt-get install python3-venv)")
        pip = [VENV / "bin" / "pip", "install", "--quiet", "-r", ROOT / "bench" / "requirements.txt"]
        subprocess.run(pip, check=True)
        made_from.write_text(wanted)
    if Path(sys.prefix) != VENV:
        python = VENV / "bin" / "python"
        os.execv(python, [python, *sys.argv])


def build():
    print("building")
    command = ["cargo", "build", "--release", "--bins", "--examples", "--locked"]
    subprocess.run(command, cwd=ROOT, check=True)
    return TARGET / "release"


def raise_file_limit():
    """Streams share connections, but on a machine with a very low limit still too few would do."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
