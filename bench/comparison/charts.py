"""The charts."""

import matplotlib

matplotlib.use("svg")
# The same figures make the same file.
matplotlib.rcParams["svg.hashsalt"] = "letterbox"

from matplotlib import pyplot  # noqa: E402: after it was told what to draw with


def draw(folder, charts):
    """Draws each of these: a title, names of the axes, and lines of (x, y)."""
    if charts:
        folder.mkdir(parents=True, exist_ok=True)
    for name, chart in charts.items():
        figure, axes = pyplot.subplots(figsize=(7, 4.2))
        for label, points in chart["lines"].items():
            style = "--" if label.endswith("p99") or label.startswith("pgbench") else "-"
            axes.plot(*zip(*points), style, marker="o", markersize=4, label=label)
        axes.set_xscale("log")
        ticks = sorted({x for points in chart["lines"].values() for x, _ in points})
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        if chart.get("log"):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_title(chart["title"])
        axes.set_xlabel(chart["x"])
        axes.set_ylabel(chart["y"])
        axes.grid(alpha=0.3)
        axes.legend()
        figure.tight_layout()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)
