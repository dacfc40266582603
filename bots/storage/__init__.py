"""Reading what the step of bots needs, in as few statements as there are kinds of rows."""
