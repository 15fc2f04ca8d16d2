"""Photographs of the open hand, made by drawing it, in the file tree of FreiHAND version 2.

`make_dataset(settings, out, progress)` writes a data set; `photograph(settings, split, index)` makes one in memory.
Nothing here loads torch: the worker processes start fast.
"""

from s2hand.pipeline.synthetic.scene import Photograph, photograph
from s2hand.pipeline.synthetic.settings import SyntheticSettings
from s2hand.pipeline.synthetic.tree import Summary, make_dataset

__all__ = ["Photograph", "Summary", "SyntheticSettings", "make_dataset", "photograph"]
