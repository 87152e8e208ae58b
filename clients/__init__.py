"""Ask a server, measure it, compare what its versions answer."""
