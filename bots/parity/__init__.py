"""Replaying runs of bots from their rows, and keeping what was found."""
