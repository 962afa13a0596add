"""The stages: what each is set by, and how it chooses patches or maps pixels."""
