"""Results to take away: a report of one file, and an archive that proves itself."""
