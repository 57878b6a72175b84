"""Two engines, one meaning: the SimPy event engine and the max-plus engine."""
