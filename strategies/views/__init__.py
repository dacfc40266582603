"""The pages of strategies and their configurations."""
