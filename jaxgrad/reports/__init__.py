"""Tables, figures and pages of results; nothing is computed here."""
