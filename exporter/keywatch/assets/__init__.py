"""What comes with keywatch beside its code: rules, runbooks, dashboards, pipelines, guides."""
