"""People's own strategies, each in a process of its own with a deadline and limits.

This keeps mistakes from taking a worker down. It is no prison: who may put a file into the folder
of strategies may do what the worker's user may.
"""
