"""The pages: what is asked for is checked, read from storage, and drawn."""
