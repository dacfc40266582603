"""Loads what an exchange serves about the past: its instruments and their history."""
