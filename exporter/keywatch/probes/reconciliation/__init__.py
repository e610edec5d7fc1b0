"""Did all events arrive that Keycloak counted?"""
