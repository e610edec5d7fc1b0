"""Who keywatch is to a broker: SASL, OAuth, and the identity of each cluster."""
