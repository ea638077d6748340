"""What chunks, segments, order and batches of candles cost and give: the ground of the declaration.

The same candles lie in one database by each layout side by side, each proven equal to what was sent, and
each is asked the same questions in turn. Nothing is chosen here: `declaration` does.
"""

from trdinger.bench.layouts.layout import LAYOUTS, Layout
from trdinger.bench.layouts.run import LayoutsOptions, bench

__all__ = ["LAYOUTS", "Layout", "LayoutsOptions", "bench"]
