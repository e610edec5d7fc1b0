"""Puts dead letters back where they belong, exactly once: reads them, decides on each, moves them in transactions."""
