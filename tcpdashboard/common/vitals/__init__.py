"""How the machinery is: database, Redis, workers, disk. Read when somebody looks."""
