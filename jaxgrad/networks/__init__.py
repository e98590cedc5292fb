"""Networks by the texts that name them: those of ``jaxgrad_models``, and the user's own."""
