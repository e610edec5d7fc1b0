"""Can a record cross each broker?"""
