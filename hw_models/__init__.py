"""Supply: what the silicon offers, as data and laws. No clock, no queue."""
