"""Records as they are read: as they come, and old ones with their times."""
