"""The rules, a few related ones a file. Importing a module registers its rules."""
