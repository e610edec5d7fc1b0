"""Who lives, who leads, and which partitions work?"""
