"""The Data page: what is there, what is missing, and what is being done about it."""
