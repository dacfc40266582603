"""What bots did, as charts draw it: neither sees the ORM."""
