"""How fast the store answers, beside the existing application's way and what a researcher would pick instead.

The same file for all: as it is for the application, moved for the store, copied for the others. They are
asked in turn; an answer of ours that is not theirs, value by value, ends the benchmark.
"""

from trdinger.bench.queries.options import QUESTIONS, QueriesOptions
from trdinger.bench.queries.run import bench, drop

__all__ = ["QUESTIONS", "QueriesOptions", "bench", "drop"]
