"""The processes behind ./dev up: started in order, watched, restarted, stopped together."""
