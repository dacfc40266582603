"""Compiled functions of the execution kernel; importing them imports Numba."""
