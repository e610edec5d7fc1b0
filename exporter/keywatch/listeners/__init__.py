"""What each of Keycloak's event listeners writes to Kafka."""
