"""Elasticsearch and OpenSearch: what keywatch puts there, asks there, and how it speaks to them."""
