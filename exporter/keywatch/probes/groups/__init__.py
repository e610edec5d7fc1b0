"""How far behind are the consumer groups, in records and in seconds, and do they live?"""
