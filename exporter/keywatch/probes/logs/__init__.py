"""Can what crossed Kafka be found by a search, and how late?"""
