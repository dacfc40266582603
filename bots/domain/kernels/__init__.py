"""Compiled functions of the bots."""
