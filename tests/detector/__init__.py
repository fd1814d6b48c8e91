"""The pure core: no test here needs a service."""
