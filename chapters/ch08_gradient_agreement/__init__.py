"""Chapter 8: gradient agreement as an optimization objective."""
