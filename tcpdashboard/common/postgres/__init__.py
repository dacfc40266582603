"""Django's PostgreSQL backend, with a bound on the connections of one process."""
