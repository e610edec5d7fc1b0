"""Which events arrive, how late, and what is malformed?"""
