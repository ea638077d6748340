"""Sample files: a `trdinger.db` as the existing application would have written it.

`write_sample` writes one of any size; `spoil` damages a copy, for trying out what judges
values. Neither reads a source or knows a server.
"""

from trdinger.sample.damages import KINDS
from trdinger.sample.options import SampleOptions, SampleSummary
from trdinger.sample.spoil import Damage, spoil
from trdinger.sample.write import Progress, write_sample

__all__ = ["KINDS", "Damage", "Progress", "SampleOptions", "SampleSummary", "spoil", "write_sample"]
