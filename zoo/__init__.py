"""The zoo: published results and weights, collected from finished runs."""
