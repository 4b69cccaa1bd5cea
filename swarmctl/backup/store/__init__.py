"""Where backups are kept, under which names, and how many."""
