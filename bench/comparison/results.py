"""The table of results."""

import json
from dataclasses import asdict
from pathlib import Path

from .figures import written

NOTES = Path(__file__).parent / "notes.md"


def write(folder, field, machine, options, minutes):
    folder.mkdir(parents=True, exist_ok=True)
    met = sum(row.met for row in field.rows)
    lines = [
        "# Results",
        "",
        f"One run of `bench/run`, which took {minutes:.0f} minutes: {met} of {len(field.rows)} goals met. "
        f"Each figure is the median of {options.rounds} rounds, as a rule of {options.seconds:g} s (in "
        "brackets the lowest and the highest). In each round the two that are compared take turns on the "
        "same machine, client and server on the same cores. What each row is, and how to read it: "
        "[README](README.md).",
        "",
        "| machine | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in machine.facts.items()),
        "",
        "| what | beside | measured | beside it | ratio | goal | met | loop |",
        "| --- | --- | ---: | ---: | ---: | --- | --- | --- |",
    ]
    for row in field.rows:
        a, b = written(row.a, row.unit), written(row.b, row.unit)
        cells = [row.what, row.beside, a, b, row.shown(), row.goal, "yes" if row.met else "**no**", row.loop]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", NOTES.read_text().rstrip(), ""]
    if field.charts:
        lines += ["## Charts", ""]
        lines += [f"![{name}](charts/{name}.svg)" for name in field.charts]
        lines += [""]
    (folder / "RESULTS.md").write_text("\n".join(lines))


def keep(file, field, machine):
    """Every round's figures, for whoever wants to look closer."""
    kept = {"machine": machine.facts, "rows": [asdict(row) for row in field.rows], "charts": field.charts}
    file.write_text(json.dumps(kept, indent=1))
