"""What died, how much of it lies there, and why?"""
