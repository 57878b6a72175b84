"""Convolutional networks as compact modules: shapes of the published models, without weights.

Each factory takes no argument and returns an ``nn.Module``; the entry of ``catalogue.yaml`` that
names it gives source, parameters and multiply-accumulates, which a test compares.
"""
