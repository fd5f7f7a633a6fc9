"""The page itself: elements of HTML, its style, its script, and the whole document."""
