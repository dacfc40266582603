"""Jobs: long work that survives its worker, may be paused and cancelled, and says how far it is."""
