"""The REST endpoints of bots."""
