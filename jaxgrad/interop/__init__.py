"""Networks from elsewhere, as the GEMMs that training them asks for."""
