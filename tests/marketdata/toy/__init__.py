"""A second exchange, as small as one can be: its server, and what collects from it."""
