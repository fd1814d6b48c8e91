"""Reports for people: pure functions from rows of the store to one self-contained HTML page."""
