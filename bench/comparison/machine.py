"""What everything ran on."""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def find_postgres():
    """The folder of the newest PostgreSQL server's programs."""
    found = list(Path("/usr/lib/postgresql").glob("*/bin"))
    found = [folder for folder in found if (folder / "initdb").exists() and (folder / "pgbench").exists()]
    if not found:
        sys.exit(
            "bench/run: no PostgreSQL server in /usr/lib/postgresql; ./scripts/test installs one, "
            "or on Debian: apt-get install postgresql"
        )
    return max(found, key=lambda folder: float(folder.parent.name))


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


def sqlite_version(built):
    """Of the library that is built into Letterbox and the baselines."""
    with tempfile.TemporaryDirectory() as folder:
        command = [built / "examples" / "baselines", "sqlite", "--json", "--seconds", "0", "--dir", folder]
        return json.loads(output(*command))["sqlite"]


class Machine:
    def __init__(self, root, postgres, built):
        cpu = Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*: (.*)", cpu)
        memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
        changed = output("git", "status", "--porcelain", "--untracked-files=no", cwd=root)
        commit = output("git", "rev-parse", "--short=12", "HEAD", cwd=root)
        self.facts = {
            "Processor": model[1] if model else platform.processor(),
            "Cores": str(os.cpu_count()),
            "Memory": f"{int(memory[1]) / 2**20:.1f} GiB",
            "Kernel": platform.release(),
            "PostgreSQL": re.search(r"[\d.]+", output(postgres / "postgres", "--version"))[0],
            "SQLite": sqlite_version(built),
            "Rust": output("rustc", "--version", cwd=root).split()[1],
            "Python": platform.python_version(),
            "Commit": commit + (" and changes" if changed else ""),
            "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        }
