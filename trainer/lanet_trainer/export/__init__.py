"""Write the network of a run as a model file."""
