"""What shows the results of ./dev bench: a table, a page, a comparison. Each is a program as well, see --help."""
