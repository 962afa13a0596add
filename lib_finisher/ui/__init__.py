"""The page in the web UI: one accordion, drawn by a script from the table of controls over a single JSON value."""
