"""How well a kernel library uses an engine, over the size of the work.

A roofline counts operations and bytes; a real kernel takes longer, by a factor that depends on the
shape. Calibration fits that factor and nothing else: the utilisation u = roofline / measured time.

Not modelled: sizes that fall between two register tiles, and operands that share a cache line.
"""

from collections.abc import Sequence

import numpy as np

from hw_models.laws import Numbers


def interpolated_utilisation(
    size: Numbers, sizes: Sequence[float], utilisations: Sequence[Numbers]
) -> Numbers:
    """Utilisation at a size: linear in log(u) over log(size), held beyond the table's ends.

    Arguments: the size of the work (rows, keys or operations), the table's sizes, ascending, and
    its fractions. Valid between the table's ends; outside it is a guess.

    >>> round(float(interpolated_utilisation(100, [10, 1000], [0.1, 0.9])), 9)
    0.3
    """
    known = np.log(np.maximum(size, 1.0))
    nodes = np.log(sizes)
    weights = (np.interp(known, nodes, node) for node in np.eye(len(nodes)))
    logs = (w * np.log(share) for w, share in zip(weights, utilisations, strict=True))
    return np.exp(sum(logs, 0.0))


def edge_utilisation(n: Numbers, k: Numbers, half_n: Numbers, half_k: Numbers) -> Numbers:
    """Fraction left by work along a product's edges: n / (n + n_half) k / (k + k_half).

    Arguments: output columns and inner size, and the sizes at which half is left, in elements.
    Bringing in m k inputs and writing m n outputs costs time that grows with the edges only:
    2 m n k (1 + n_half / n)(1 + k_half / k). Source: Hockney's (r_inf, n_1/2) law per dimension.

    >>> float(edge_utilisation(1024, 1024, 0.0, 1024.0))
    0.5
    """
    return np.divide(n, np.add(n, half_n)) * np.divide(k, np.add(k, half_k))
