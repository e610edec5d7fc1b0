"""Does a node of Keycloak live, and is it ready?"""
