"""AUTOMATIC1111's web UI and the Forges behind the port. It can only be imported inside such a program."""
