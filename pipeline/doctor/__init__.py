"""`s2hand doctor`: what is there, what is missing, where to get it, what it will be used for."""
