"""One result as progress on a terminal, as a table, and as a page. Knows no database."""
