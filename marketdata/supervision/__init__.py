"""Keeps every enabled collector running in exactly one place."""
