"""Requests to brokers and their replies as bytes (https://kafka.apache.org/protocol); knows no connection."""
