"""Picture files in, finished files and reports out."""
