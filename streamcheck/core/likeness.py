"""When is it believed that panes resemble their neighbours, or scatter more than chance has it?"""

LAGS = 3
VISIBLE = 1.3
"""Standard errors (1 / sqrt(panes)) from which a correlation of neighbours is believed."""
SCATTER_VISIBLE = 1.0
"""Standard errors (the root of 2 / panes, of 1) from which it is believed that panes scatter more than their rows."""
LAG1_MAX = 0.95
PANES_MIN = 10
"""Panes below which nothing is said."""
DISPERSION_EVENTS_MIN = 30
"""A share with fewer events (or fewer non-events) in the reference says nothing about its scatter between panes."""
