"""Figures, and whether they are what they should be."""

import statistics
from dataclasses import dataclass

median = statistics.median


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


@dataclass
class Row:
    """A goal, and what was measured."""

    what: str
    beside: str
    a: list
    b: list
    value: float
    goal: str
    met: bool
    unit: str
    loop: str

    @classmethod
    def ratio(cls, what, beside, a, b, goal, unit="/s", loop="closed"):
        """`a` over `b`; a goal such as `>= 1.5`."""
        return cls.value_of(what, beside, a, b, median(a) / median(b), goal, unit, loop)

    @classmethod
    def value_of(cls, what, beside, a, b, value, goal, unit, loop):
        relation, bound = goal.split()[:2]
        met = value >= float(bound) if relation == ">=" else value <= float(bound)
        return cls(what, beside, a, b, value, goal, met, unit, loop)

    def shown(self):
        unit = " ".join(self.goal.split()[2:])
        return f"{self.value:.2f} {unit}".strip()


def written(values, unit):
    """The median, and from where to where the rounds went."""
    if not values:
        return ""
    middle = f"{number(median(values))} {unit}".strip()
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))} to {number(max(values))})"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
