"""keywatch proves from outside, every second, that Keycloak's events cross Kafka."""

__version__ = "0.1.0"
