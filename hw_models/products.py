"""Kernels that multiply compressed weights on a processor, as a device file names them.

A kernel expands a piece of a weight matrix and multiplies it with some rows of activations before
it expands the next. A format whose rows a runtime repacks for the instruction set has kernels of
several rows; any other runs one dot product after another, which expands anew for every row::

    t = multiply + max(1, m / rows) n k / (pace x weights that the unit expands per second)

Source: llama.cpp, ggml-cpu/repack.cpp, and the rates that its pull requests publish with and
without repacking. Valid for m rows of activations beyond a decode step, whose efficiency stands for
all of it. Not modelled: edges of a block of rows, and caches between two of them.
"""

from hw_models.laws import Numbers
from hw_models.part import Part
from hw_models.quantities import Count, Ratio


class Products(Part):
    """Which formats a runtime repacks, and how fast it expands each."""

    rows: Count
    """Rows of activations that share an expansion where the format is repacked."""
    unpacked_rows: Count
    """The same where it is not; all rows of a batch where a library expands the matrix first."""
    packed: tuple[str, ...]
    """Ids of the weight formats that are repacked, on cores with dot products of 8 bits."""
    pace: dict[str, Ratio]
    """By format, weights expanded where the unit's rate counts one; others follow the unit."""

    def rows_of(self, weight_format: str, has_dot_products: bool, kind: str) -> Numbers:
        """Return how many rows of activations share an expansion of a format, in an operator.

        Experts take the rows that chose them one by one, repacked or not.
        """
        if kind == "experts":
            return 1.0
        packs = has_dot_products and weight_format in self.packed
        return (self.rows if packs else self.unpacked_rows).value
