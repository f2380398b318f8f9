"""What an operator can set: one file a section of alertengine.toml, and how the file is read."""
