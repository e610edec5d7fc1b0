"""keywatch's Grafana dashboards, as code: what each shows, and how its JSON comes to be."""
