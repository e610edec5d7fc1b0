"""What is in service: the plans of each cluster's probes, and what changes them part by part."""
