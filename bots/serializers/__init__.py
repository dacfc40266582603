"""What the REST endpoints of bots take and answer."""
