"""The lab's images: recipes and their tags, and how they are built."""
