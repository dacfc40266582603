"""A stored stretch fed through the whole stack again, under another exchange's name."""
