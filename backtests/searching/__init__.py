"""Searches for parameters: what is asked for, and the work that many workers share."""
