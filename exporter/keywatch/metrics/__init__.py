"""Every metric of keywatch, declared once: a module a subject (standard library only)."""
