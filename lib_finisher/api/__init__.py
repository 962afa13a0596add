"""The front for programs: what the routes under /finisher/v1/ read and answer. No web framework and no host here."""
