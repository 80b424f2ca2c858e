"""Chapter 7: Meta-SGD and Reptile."""
