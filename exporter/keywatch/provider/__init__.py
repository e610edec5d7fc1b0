"""A provider jar of Keycloak: read without running it, judged, put into a Keycloak, and taken out again."""
