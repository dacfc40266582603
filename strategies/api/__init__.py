"""REST of strategies and their configurations."""
