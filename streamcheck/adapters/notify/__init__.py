"""Ways to tell people of incidents; each is one file."""
