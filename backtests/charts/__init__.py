"""Results as figures: cards, curves, tables and layers; nothing here reads the database."""
