"""One module for each domain; each holds one `DOMAIN`."""
