"""The pages of searches: the list, the form, and one search with everything it found."""
