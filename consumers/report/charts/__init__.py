"""Charts as inline SVG: one file each, a pure function from numbers to markup; colours come from the page."""
