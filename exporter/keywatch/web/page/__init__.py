"""The page for people: what is wrong now and since when."""
