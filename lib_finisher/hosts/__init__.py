"""The port, and the engines that implement it."""
