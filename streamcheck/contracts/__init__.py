"""Contracts that every detector and measure keeps, as tests for authors of their own: docs/plugins.md.

They need pytest. Those of streamcheck itself run through the same classes.
"""

from streamcheck.contracts.detectors import DetectorContract
from streamcheck.contracts.measures import LabelledMeasureContract, MeasureContract

__all__ = ["DetectorContract", "LabelledMeasureContract", "MeasureContract"]
