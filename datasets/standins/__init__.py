"""Generated stand-ins for the published sets: for a first look, and where there is no network."""
