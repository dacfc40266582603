"""Charts: arrays of candles in, windows, figures, sparklines and export files out."""
