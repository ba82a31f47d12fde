"""Arithmetic on what was measured."""

import statistics

median = statistics.median


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
