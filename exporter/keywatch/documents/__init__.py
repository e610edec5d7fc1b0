"""Writes what follows from code: references, manifests, the words of OpenSearch."""
