"""Repairs gaps: trades by their ids, candles where trades are not to be had any more."""
