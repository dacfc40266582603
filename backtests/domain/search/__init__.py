"""Searching for parameters: what is tried, how it is judged, and how much of it is luck."""
