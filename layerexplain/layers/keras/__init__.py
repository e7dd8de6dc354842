"""The vocabulary of Keras: files bear the names of Keras's own folders."""
