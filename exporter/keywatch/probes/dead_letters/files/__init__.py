"""Dead letters that lie in a folder, a file each."""
