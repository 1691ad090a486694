"""The owner's command line: ``python -m infra.cli``."""
