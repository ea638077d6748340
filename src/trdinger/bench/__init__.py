"""How fast a move is, beside whatever else can bring the same file over.

Every contestant works in a process of its own on a database of its own, in turn, on one file. Ours is
the whole move with its proof: a run that is not proven equal ends the benchmark.
"""

from trdinger.bench.options import CONTESTANTS, BenchOptions
from trdinger.bench.run import bench

__all__ = ["CONTESTANTS", "BenchOptions", "bench"]
