"""The SPAM model: over-complete candidates in, tracks, uncertainties and questions out.

Knows arrays and torch; nothing of CVAT, Nuclio or HTTP.
"""

__version__ = "0.1.0"
