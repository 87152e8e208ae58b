"""The comparison as people and programs read it: a table in four formats, a JSON file and a page."""
