"""Chart data, and what draws it."""
