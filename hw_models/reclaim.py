"""Memory that an app lacks and gets back page by page: reclaim and swap, before it is ended.

Not modelled: compression in memory, which gives back faster than flash what it could compress, and
other apps that are ended first.
"""

import numpy as np

from hw_models.laws import Numbers


def refetched_share(over_bytes: Numbers, weight_bytes: Numbers, churn: Numbers) -> Numbers:
    """Share of the weights that one pass fetches again: min(1, churn x over / weights).

    Weights are read in one order, over and over. At best the same pages always lack (churn 1); a
    cache that drops what it used longest ago drops just what comes next, and all of them are
    fetched (the bound 1). Source: replacement of pages under a cyclic scan; valid for weights that
    are read once a pass.

    >>> float(refetched_share(0.2e9, 2e9, 2.0))
    0.2
    """
    return np.minimum(1.0, np.multiply(churn, over_bytes) / np.maximum(weight_bytes, 1.0))
