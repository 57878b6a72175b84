"""Importers: files that other tools write, read as measured runs."""

from sim.analysis.importers.base import Importer
from sim.analysis.importers.registry import import_measured, importers

__all__ = ["Importer", "import_measured", "importers"]
