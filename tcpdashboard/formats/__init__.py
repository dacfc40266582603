"""How Django's own pages, such as the administration's, write times: by language."""
