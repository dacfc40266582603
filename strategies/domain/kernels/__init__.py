"""Compiled comparisons; nothing imports them before something is to be decided."""
