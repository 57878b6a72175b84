"""Importers: files that other tools write, read as measured runs."""

from sim.evidence.importers.base import Importer
from sim.evidence.importers.registry import import_measured, importers

__all__ = ["Importer", "import_measured", "importers"]
