"""Compiled kernels, one for each indicator.

A kernel takes its input columns, its parameters, a state and its output columns, all float64 and as
long as each other but for the state. It goes on from the state, which it updates in place, and
writes one value a candle, NaN while warming up. So one call over a whole series and one call a
candle run the same machine code, and give the same bits. A fresh state is all zeros; how long it is
stands with the indicator's declaration.
"""
