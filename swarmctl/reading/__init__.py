"""How files and texts are read: positions, schemas, quantities, names."""
